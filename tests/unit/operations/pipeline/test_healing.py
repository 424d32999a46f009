"""What heals lost history is a snapshot of its own, tried with patience; the replica is the table that was written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.operations.pipeline.gaps import MAX_HEALS
from service.operations.pipeline.outside import Outside
from service.ports import Adapters
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_equal
from tests.support.numbered_items import item, key


class SnapshottingService(Service):
    async def _look(self) -> Outside:
        """Whichever stream is the table's by now."""
        streams = self.process.connection.to(self.world.source.stream, "streams")
        process = self.process
        adapters = Adapters(streams, process.source, process.replica, process.control, process.schema, process.clock)
        return Outside(adapters, await self.world.source.describe(), await self.world.replica.describe())


def service(world: World, **settings: Any) -> SnapshottingService:
    return SnapshottingService(world, **settings)


async def until_healed(running: SnapshottingService, times: int = 1) -> None:
    async def healed() -> bool:
        jobs = await running.snapshots.newest()
        return sum(job.state is JobState.DONE for job in jobs) == times and not running.pipeline.gaps

    while not await healed():
        assert not running.running.done()
        await asyncio.sleep(0.1)


async def filled(world: World, count: int = 6) -> None:
    for number in range(count):
        world.source.put(item(number))
    await until(lambda: len(world.replica.items) == count)


def lose_stream(world: World) -> None:
    world.source.stream.disable()
    world.source.recreate_stream()


async def test_a_replica_that_is_created_anew_while_it_runs_stops_the_pipeline() -> None:
    world = World()
    async with service(world) as running:
        await running.until_caught_up()
        await filled(world)
        world.replica.recreate()
        await until(lambda: running.pipeline.state is PipelineState.FAILED)
        assert "replica-table was re-created" in str(running.pipeline.reason)
        assert len(running.pipeline.gaps) == 1


async def test_a_replica_that_is_created_anew_while_nothing_runs_stops_the_next_start() -> None:
    world = World()
    async with service(world) as first:
        await first.until_caught_up()
        await filled(world)
    world.replica.recreate()
    async with service(world) as second:
        await until(lambda: second.pipeline.state is PipelineState.FAILED)
        assert "was re-created" in str(second.pipeline.reason)


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_replica_that_is_created_anew_is_filled_again_by_itself(is_running: bool) -> None:
    world = World()
    async with service(world, on_gap="snapshot") as first:
        await first.until_caught_up()
        await filled(world)
        if is_running:
            world.replica.recreate()
            await until_healed(first)
    if not is_running:
        world.replica.recreate()
        async with service(world, on_gap="snapshot") as second:
            await until_healed(second)
    check_equal(world)
    saved = world.control.of("source--replica").progress
    assert saved is not None
    assert saved.replica_id == world.replica.table_id


async def test_a_gap_in_the_midst_of_a_snapshot_is_healed_by_a_snapshot_of_its_own() -> None:
    world = World()
    for number in range(200):
        world.source.put(item(number))
    world.source.page_bytes = 200
    async with service(world, start_at="snapshot", on_gap="snapshot") as running:
        world.source.scan_seconds = 1.0
        await until(lambda: len(world.replica.items) > 100)
        world.source.stream.disable()
        for number in range(200):
            world.source.delete(key(number)) if number % 2 else world.source.put(item(number, "2"))
        world.source.recreate_stream()
        world.source.scan_seconds = 0.0
        await until_healed(running)
        await running.until_caught_up()
        heal, old = await running.snapshots.newest()
    check_equal(world)
    assert (heal.state, heal.items_scanned) == (JobState.DONE, 100)
    assert old.state is JobState.FAILED
    assert "a new snapshot, which copies everything, took its place" in str(old.error)


async def test_a_start_after_a_heal_goes_on_from_its_checkpoints() -> None:
    world = World()
    async with service(world, on_gap="snapshot") as running:
        await running.until_caught_up()
        await filled(world)
        lose_stream(world)
        await until_healed(running)
        scans = world.source.calls["scan"]
        flow = await running.flow()
        world.control.of("source--replica").lease = None  # by hand: it is lost, and gained again
        await until(lambda: running.pipeline.replicator not in (None, flow))
        await running.until_caught_up()
        assert world.source.calls["scan"] == scans


async def test_healing_gives_up_loudly_when_gaps_come_again_and_again() -> None:
    world = World()
    async with service(world, on_gap="snapshot") as running:
        await running.until_caught_up()
        for times in range(1, MAX_HEALS + 1):
            lose_stream(world)
            await until_healed(running, times)
        scans = world.source.calls["scan"]
        lose_stream(world)
        await until(lambda: "tried 5 times" in str(running.pipeline.reason))
        await asyncio.sleep(600)
        assert running.pipeline.state is PipelineState.FAILED
        assert world.source.calls["scan"] == scans
        await running.snapshots.start()
        await running.until_caught_up()
