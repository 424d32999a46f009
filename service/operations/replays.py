"""Starts replays, goes on with one after a restart, and shows them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

from service.errors import RetryableError, ShardGoneError
from service.operations.console import ConflictError, InvalidError, UnavailableNowError
from service.operations.job_log import JobLog
from service.operations.jobs import JobState, Replay
from service.operations.pipeline import Pipeline
from service.operations.replay import ReplayRun
from service.operations.replay_memory import KIND, ReplayMemory
from service.operations.replay_place import Place
from service.operations.replay_range import ReplayRange
from service.ports import Adapters
from service.replication.replicator import Replicator
from service.telemetry import JobChanged, Observer


class Replays:
    """One replay at a time; its document in the control table says that it runs, and where."""

    def __init__(self, *, pipeline: Pipeline, adapters: Adapters, observer: Observer) -> None:
        self._pipeline = pipeline
        self._observer = observer
        self._log = JobLog(KIND, Replay, adapters.control, adapters.clock)
        self._memory = ReplayMemory(adapters.control)
        self._run: ReplayRun | None = None
        self._is_starting = False
        self.has_looked = asyncio.Event()
        """The running flow knows whether a replay goes on: one that is started before would be a second run."""
        pipeline.on_flow_started.append(self._go_on)

    async def newest(self) -> list[Replay]:
        return [self._current(job) for job in await self._log.newest()]

    async def found(self, job_id: str) -> Replay:
        if self._run is not None and self._run.job.id == job_id:
            return self._run.shown()  # known here, also while the control table is silent
        return await self._log.found(job_id)

    def _current(self, job: Replay) -> Replay:
        """The running job as it is now, rather than as it was last saved."""
        return self._run.shown() if self._run is not None and self._run.job.id == job.id else job

    async def start(
        self,
        flow: Replicator,
        *,
        sequence_number: str | None = None,
        shard_id: str | None = None,
        from_time: datetime | None = None,
        from_: Literal["trim_horizon"] | None = None,
        dry_run: bool = False,
    ) -> Replay:
        """From exactly one of a sequence number, a time and the trim horizon.

        Raises ConflictError while one runs, InvalidError, TrimmedAlreadyError, UnavailableNowError.
        """
        if sum(start is not None for start in (sequence_number, from_time, from_)) != 1:
            raise InvalidError("a replay begins at exactly one of `sequence_number`, `from_time` and `from`")
        await self.has_looked.wait()
        if self._run is not None:
            raise ConflictError(f"the replay {self._run.job.id} runs already")
        if self._is_starting:
            raise ConflictError("another replay is being started")
        self._is_starting = True
        try:
            place, owner = await self._place(flow, sequence_number, shard_id, from_time)
            job = Replay(
                id=self._log.new_id(),
                state=JobState.RUNNING,
                started_at=self._log.now(),
                sequence_number=sequence_number,
                shard_id=owner,
                from_time=from_time,
                from_=from_,
                dry_run=dry_run,
            )
            await self._memory.keep(job.id, place)
            await self._log.save(job, place.saved())
            self._start(flow, job, place)
            await self._memory.forget_before(job.id)
        except RetryableError as error:
            raise UnavailableNowError(f"{error}; try again") from error
        finally:
            self._is_starting = False
        return job

    async def _place(
        self, flow: Replicator, sequence_number: str | None, shard_id: str | None, from_time: datetime | None
    ) -> tuple[Place, str | None]:
        adapters = self._pipeline.outside.adapters
        try:
            stream = await adapters.streams.describe()
        except ShardGoneError as error:
            raise ConflictError(f"the stream is gone: {error}") from error
        found = ReplayRange(flow, adapters.streams, adapters.clock, stream)
        if sequence_number is not None:
            return await found.from_sequence(sequence_number, shard_id)
        if from_time is not None:
            return await found.from_time(from_time.timestamp()), None
        return found.from_horizon(), None

    def _go_on(self, flow: Replicator) -> None:
        """A new flow: a replay that was under way goes on beside it."""
        self._run = None
        self.has_looked.clear()
        flow.start_early(self._resume(flow), "unfinished replay")

    async def _resume(self, flow: Replicator) -> None:
        try:
            unfinished = await flow.requests.read(self._log.unfinished, "control")
            if unfinished is not None:
                job, place = unfinished
                await self._resume_one(flow, job, place)
        finally:
            self.has_looked.set()

    async def _resume_one(self, flow: Replicator, job: Replay, saved: dict[str, Any]) -> None:
        stream_arn = saved["stream_arn"]
        error = f"the stream {stream_arn} was switched off or re-created: its history can't be replayed any more"
        if stream_arn == self._pipeline.outside.source.stream_arn:
            place = await flow.requests.read(lambda: self._memory.place(job.id, saved), "control")
            if place is not None:
                self._start(flow, job, place)
                return
            error = "its range is not in the control table any more, or was changed there: begin another replay"
        failed = job.model_copy(update={"state": JobState.FAILED, "finished_at": self._log.now(), "error": error})
        await flow.requests.read(lambda: self._log.save(failed, saved), "control")
        self._observe(failed)

    def _start(self, flow: Replicator, job: Replay, place: Place) -> None:
        run = ReplayRun(
            job=job,
            place=place,
            log=self._log,
            flow=flow,
            adapters=self._pipeline.outside.adapters,
            settings=self._pipeline.settings,
        )
        if flow.start_job(self._carry(run), f"replay {job.id}"):
            self._run = run
            self._observe(job)

    async def _carry(self, run: ReplayRun) -> None:
        """A cancelled one is left as it is: a restart goes on with it."""
        try:
            ended = await run.run()
        finally:
            if self._run is run:
                self._run = None
        self._observe(ended)

    def _observe(self, job: Replay) -> None:
        text = f"{job.records_read} records read, {job.records_applied} applied, {job.records_unchanged} unchanged"
        self._observer.observe(JobChanged(KIND, job.id, job.state, job.error or text))
