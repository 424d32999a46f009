"""One pipeline's year, from its first start on; after each step its status is looked at, and nothing in it is untrue.

An onlooker reads the status all the while. What it must never see: "caught up" while the tables differ or nothing
replicates, a lag that is not known where the process replicates, a count of dead letters that is not what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.errors import ChangeError
from service.model import ItemWrite, Put
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState, Role, Status
from service.operations.pipeline.pause import Pause
from service.replication.writing.fingerprint import TOPIC
from tests.fakes.clock import EPOCH, run_virtual
from tests.fakes.images import key_of
from tests.fakes.service import Service, until
from tests.support.invariants import Judge
from tests.support.numbered_items import item, key
from tests.unit.operations.pipeline.test_healing import SnapshottingService
from tests.unit.operations.pipeline.test_upgrade import older_world

HOUR = 3600.0
ITEMS = 12
README = {"start_at": "snapshot", "lease_seconds": 10, "create_replica": True}
MASKED = {"exclude_attributes": ("secret",)}


class Year:
    """The world, whoever runs in it, and what an onlooker has seen."""

    def __init__(self) -> None:
        self.world = older_world()
        self.settings: dict[str, Any] = dict(README)
        self.poisoned: set[Any] = set()
        self.value = 0
        self.untrue: list[str] = []

    @asynccontextmanager
    async def running(self, **more: Any) -> AsyncIterator[SnapshottingService]:
        async with SnapshottingService(self.world, **(self.settings | more)) as service:
            service.start_looking()
            looking = asyncio.create_task(self._look_on(service))
            try:
                yield service
            finally:
                looking.cancel()

    async def _look_on(self, service: Service) -> None:
        while True:
            status = self.look(service)
            await asyncio.sleep(60 if status.state is PipelineState.PAUSED else 0.25)

    def look(self, service: Service) -> Status:
        """The status, and whether it is true at this moment."""
        status = service.report.status()
        replicates = service.pipeline.replicator is not None
        if status.lag.caught_up:
            if status.state not in (PipelineState.RUNNING, PipelineState.SNAPSHOTTING) or status.gaps:
                self.untrue.append(f"caught up, and {status.state}: {status.gaps}")
            if status.state is PipelineState.RUNNING and (why := self._difference()) is not None:
                self.untrue.append(f"caught up, and {why}")
        if replicates and status.lag.seconds is None:
            self.untrue.append(f"{status.state}, and the lag is not known")
        stored = len(self.world.control.of("source--replica").letters)
        if status.role is Role.ACTIVE and status.dead_letters not in (None, stored):
            self.untrue.append(f"{status.dead_letters} dead letters, and {stored} are stored")
        if (status.state is PipelineState.PAUSED) != (status.paused_since is not None) and status.role is Role.ACTIVE:
            self.untrue.append(f"{status.state}, and paused since {status.paused_since}")
        return status

    def _difference(self) -> str | None:
        """Between the tables; what the source wrote a moment ago, which no read could have shown yet, aside."""
        now = self.world.clock.now()
        fresh = {key for key, states in self.world.source.history.items() if now - states[-1].at < 1.0}
        try:
            self.judge().check_equal(fresh | self.poisoned)
        except AssertionError as error:
            return str(error)
        return None

    def judge(self) -> Judge:
        return Judge(self.world, expected=self._expected)

    def _expected(self, source: dict[str, Any]) -> dict[str, Any]:
        excluded = self.settings.get("exclude_attributes", ())
        return {name: value for name, value in source.items() if name not in excluded}

    def write(self, *numbers: int) -> None:
        for number in numbers or range(ITEMS):
            self.value += 1
            self.world.source.put(item(number, value=str(self.value), secret={"S": "mine"}))

    async def settled(self, service: Service) -> Status:
        """Written to once more, caught up with, and without a gap."""
        self.write(0, 1)
        await asyncio.sleep(1.0)
        await service.until_caught_up()
        status = self.look(service)
        assert (status.state, status.gaps, status.role) == (PipelineState.RUNNING, [], Role.ACTIVE)
        assert not_ready(service) is None
        self.judge().check_equal(self.poisoned)
        assert self.untrue == []
        return status


async def first_start_and_restart(year: Year) -> None:
    year.world.source.preset(*[item(number, value="0") for number in range(ITEMS)])
    async with year.running() as service:
        status = await year.settled(service)
        assert status.last_verification is None
        assert [job.state for job in await service.snapshots.newest()] == [JobState.DONE]
    year.write()
    async with year.running() as service:
        await year.settled(service)
        assert len(await service.snapshots.newest()) == 1, "a restart copies nothing again"


async def killed_with_a_standby(year: Year) -> None:
    async with year.running() as standby:
        await year.settled(standby)
    async with year.running() as active:
        await year.settled(active)
        async with year.running() as standby:
            await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
            await asyncio.sleep(15)
            status = year.look(standby)
            assert (status.role, status.lag.caught_up, status.dead_letters) == (Role.STANDBY, False, 0)
            assert status.active == year.look(active).active is not None
            year.write()
            await active.die()
            year.write(3, 4)
            await year.settled(standby)


async def paused_for_most_of_a_day(year: Year) -> None:
    async with year.running() as service:
        await year.settled(service)
        await Pause(service.pipeline).pause()
        year.write()
        await asyncio.sleep(10 * HOUR)
        year.write(5)
    async with year.running() as service:
        await asyncio.sleep(10 * HOUR)
        status = year.look(service)
        assert status.state is PipelineState.PAUSED
        assert status.paused_since is not None
        assert status.lag.seconds is not None
        assert status.lag.seconds > 18 * HOUR
        assert any("24 hours" in warning for warning in status.warnings), status.warnings
        await Pause(service.pipeline).resume()
        await year.settled(service)


async def an_outage_and_lost_rights(year: Year) -> None:
    async with year.running() as service:
        await year.settled(service)
        for port in ("replica", "streams", "control"):
            now = year.world.clock.now()
            year.world.plan.outage(port, now + 1, now + 90)
            await asyncio.sleep(2)
            year.write()
            await asyncio.sleep(60)
            assert not year.look(service).lag.caught_up
            assert not_ready(service) is not None, f"{port} refuses all, and it is ready: {year.look(service)}"
            await asyncio.sleep(60)
            await year.settled(service)


async def poison(year: Year) -> None:
    """An item that the replica refuses, again after a restart; taken in the end, mended and discarded by hand."""

    def refuse(write: ItemWrite) -> ChangeError | None:
        return ChangeError("no") if isinstance(write, Put) and b"-777" in write.item else None

    year.world.replica.poison = refuse
    async with year.running() as service:
        await year.settled(service)
        year.poisoned = {key_of(key(2))}
        year.world.source.put(item(2, value="-777"))
        await asyncio.sleep(5)
        assert (await year.settled(service)).dead_letters == 1
    async with year.running() as service:
        assert (await year.settled(service)).dead_letters == 1
        year.world.replica.poison = lambda write: None
        job = await service.verify(repair=True)
        assert (job.state, job.different, job.repaired) == (JobState.DONE, 1, 1)
        letters, _ = await service.letters.page(10, None)
        await service.letters.discard(letters[0]["id"])
        year.poisoned = set()
        await asyncio.sleep(1)
        status = await year.settled(service)
        assert status.dead_letters == 0
        assert status.last_verification is not None


async def a_gap_and_a_replaced_replica(year: Year) -> None:
    year.settings["on_gap"] = "fail"
    for lose in (year.world.source.stream.vanish, year.world.replica.recreate):
        async with year.running() as service:
            await year.settled(service)
        year.write()
        lose()
        if lose == year.world.source.stream.vanish:
            year.world.source.recreate_stream()
        async with year.running() as service:
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            status = year.look(service)
            assert status.gaps
            assert status.reason
            assert not status.lag.caught_up
            assert not_ready(service) is not None
        async with year.running(on_gap="snapshot") as service:
            await service.until_caught_up()
            await year.settled(service)


async def other_filters(year: Year) -> None:
    year.settings |= MASKED
    async with year.running() as service:
        await service.flow()
        year.poisoned = set(year.world.source.items)  # what they left stays until it is copied again
        await until(lambda: TOPIC in service.totals.warnings)
        job = await service.snapshots.start()
        while (await service.snapshots.found(job.id)).state is JobState.RUNNING:  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.2)
        year.poisoned = set()
        await year.settled(service)
    async with year.running() as service:
        await year.settled(service)
        assert TOPIC not in service.totals.warnings
        found = await service.verify()
        assert (found.missing, found.extra, found.different) == (0, 0, 0)


def not_ready(service: Service) -> str | None:
    return service.report.not_ready_reason()


STEPS = (
    first_start_and_restart,
    killed_with_a_standby,
    paused_for_most_of_a_day,
    an_outage_and_lost_rights,
    poison,
    a_gap_and_a_replaced_replica,
    other_filters,
)


def test_a_year_in_small() -> None:
    async def scenario() -> None:
        year = Year()
        for step in STEPS:
            await step(year)
            assert year.untrue == [], step.__name__
            if not year.settings.get("exclude_attributes"):  # the states of before would be judged by them too
                year.judge().check_never_back()
        assert year.world.clock.now() > EPOCH + 20 * HOUR

    run_virtual(scenario, limit_seconds=100 * HOUR)
