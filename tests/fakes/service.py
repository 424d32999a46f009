"""The running service on a fake world: its pipeline, report and jobs, without any API.

async with Service(world) as service:      # replicates until the block ends
    await service.until_caught_up()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

from service.configuration.settings import Settings, load_settings
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.control_looks import ControlLooks
from service.operations.dead_letters.dead_letters import Letters
from service.operations.documents.jobs import JobState, Replay, Verification
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.replay.replays import Replays
from service.operations.snapshot.snapshots import Snapshots
from service.operations.status.counters import Families, Totals
from service.operations.status.status_report import Report
from service.operations.verification.verifications import Verifications
from service.replication.replicator import Replicator
from tests.fakes.world import Process, World

Answer = TypeVar("Answer")


def settings_of(**overrides: Any) -> Settings:
    """As the tables of a world are named; a first start reads what comes from then on."""
    values = {"source_table": "master-table", "replica_table": "replica-table", "start_at": "latest"}
    return load_settings({}, **(values | overrides))


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody is told of: looked at again and again, in virtual time."""
    while not condition():  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0.1)


async def answered(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """What a patient operator gets: asked again while the control table does not answer."""
    while True:
        try:
            return await call()
        except UnavailableNowError:
            await asyncio.sleep(0.1)


class Service:
    """One process. A context: leaving it stops in order; a dead process just stays dead."""

    def __init__(self, world: World, process: Process | None = None, **overrides: Any) -> None:
        self.world = world
        self.process = process or world.process()
        self.settings = settings_of(**overrides)
        self.adapters = self.process.adapters
        self.totals = Totals(Families(), "pipeline", self.process.clock)
        self.looking: asyncio.Task[bool] | None = None

    async def open(self) -> Service:
        self.pipeline = Pipeline(
            settings=self.settings,
            outside=await self._look(),
            look_again=self._look,
            owner=f"process-{id(self)}",
            observer=self.totals,
        )
        self.report = Report(self.pipeline, self.totals, "0")
        self.looks = ControlLooks(self.pipeline, self.report, self.pipeline.letter_count)
        self.verifications = Verifications(self.pipeline, self.report)
        self.snapshots = Snapshots(self.pipeline)
        self.letters = Letters(self.pipeline)
        self.replays = Replays(self.pipeline)
        self.running = asyncio.create_task(self.process.live(self.pipeline.run()), name="service")
        return self

    async def _look(self) -> Outside:
        """Described by the world itself: the start's own trouble is not what is tested."""
        return Outside(self.adapters, await self.world.source.describe(), await self.world.replica.describe())

    async def __aenter__(self) -> Service:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipeline.stop()
        await self.running
        if self.looking is not None:
            self.looking.cancel()

    def start_looking(self) -> None:
        """At the control table once in a while, as the composition does."""
        self.looking = asyncio.create_task(self.process.live(self.looks.look_periodically()), name="looks")

    async def die(self) -> None:
        """`kill -9`."""
        self.process.connection.kill()
        self.running.cancel()
        await asyncio.wait([self.running])

    async def flow(self) -> Replicator:
        """Once it replicates."""
        while self.pipeline.replicator is None:
            assert not self.running.done(), "the service has ended"
            await asyncio.sleep(0.1)
        assert isinstance(self.pipeline.replicator, Replicator)
        return self.pipeline.replicator

    async def until_caught_up(self) -> None:
        await self.flow()
        await until(lambda: self.report.status().lag.caught_up)

    async def verify(self, *, repair: bool = False, sample: float | None = None) -> Verification:
        """From its start to its end."""
        flow = await self.flow()
        job = await answered(lambda: self.verifications.start(flow, repair=repair, sample=sample))
        return await self.ended(job.id)

    async def ended(self, job_id: str) -> Verification:
        while True:
            job = await answered(lambda: self.verifications.found(job_id))
            if job.state is not JobState.RUNNING:
                return job
            assert not self.running.done(), "the service has ended"
            await asyncio.sleep(0.2)

    async def redrive(self, ids: list[str] | None = None) -> dict[str, int]:
        """From its start to its end: what it counted."""
        begun = job = await self.letters.redrive(await self.flow(), ids)
        while job.state is JobState.RUNNING:
            if self.running.done():
                raise ConflictError("the service has ended")
            await asyncio.sleep(0.2)
            job = await answered(lambda: self.letters.redrives.found(begun.id))
        if job.state is not JobState.DONE:
            raise ConflictError(job.error or job.state)
        return {"redriven": job.redriven, "superseded": job.superseded, "failed": job.failed}

    async def replay(self, **start: Any) -> Replay:
        """From its start to its end."""
        flow = await self.flow()
        job = await answered(lambda: self.replays.start(flow, **start))
        return await self.replayed(job.id)

    async def replayed(self, job_id: str) -> Replay:
        while True:
            job = await answered(lambda: self.replays.found(job_id))
            if job.state is not JobState.RUNNING:
                return job
            assert not self.running.done(), "the service has ended"
            await asyncio.sleep(0.2)
