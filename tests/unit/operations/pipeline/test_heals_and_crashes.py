"""A heal ends whatever happens meanwhile: a crash at any call of it, or another gap at a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.errors import AmbiguousError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.operations.jobs.scan_position import SEGMENTS
from tests.fakes.control_store import FakeControlStore
from tests.fakes.faults import Moment
from tests.fakes.service import until
from tests.fakes.world import World
from tests.support.invariants import check_equal
from tests.support.numbered_items import item, key
from tests.unit.operations.pipeline.test_healing import SnapshottingService, filled, service

PATIENCE_SECONDS = 300
"""Any of these heals is over by then, in virtual time."""


def write_unseen(world: World) -> None:
    world.source.delete(key(0))
    world.source.put(item(1, "2"))
    world.source.put(item(9))


def lose_stream(world: World) -> None:
    lose_stream_with(world, lambda: write_unseen(world))


def lose_stream_with(world: World, unseen: Callable[[], object]) -> None:
    world.source.stream.disable()
    unseen()
    world.source.recreate_stream()


def lose_replica(world: World) -> None:
    world.replica.recreate()
    world.source.put(item(1, "2"))


def lose_history(world: World) -> None:
    """Written and trimmed while the process sees nothing."""
    world.source.delete(key(0))
    world.source.put(item(1, "3"))
    for shard_id in list(world.source.stream.shards):
        world.source.stream.roll(shard_id)
        world.source.stream.trim(shard_id)


WRITES = (
    "control.save",
    "control.begin",
    "control.file",
    "control.adopt",
    "replica.put",
    "replica.delete",
    "replica.write",
)
LOSSES = [lose_stream, lose_replica, lose_history]


async def until_whole(running: SnapshottingService) -> None:
    """Healed, and saved as such."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await until(lambda: _has_found_a_gap(running.world) and _is_whole(running.world))
        await running.flow()


def _is_whole(world: World) -> bool:
    found = world.control.of("source--replica")
    saved, has_ended = found.progress, any(b'"state":"done"' in job for job in found.jobs.values())
    return (
        has_ended and saved is not None and (saved.needs_snapshot, saved.snapshot_id, saved.gaps) == (False, None, ())
    )


async def check_over(world: World) -> None:
    """For good: another start finds nothing to mend, and scans nothing."""
    scans = world.source.calls["scan"]
    async with service(world, on_gap="snapshot") as later:
        await later.flow()
        world.source.put(item(2, "77"))
        await asyncio.sleep(15)
        await later.until_caught_up()
    assert world.source.calls["scan"] == scans
    check_equal(world)


async def calls_of_a_heal(lose: Callable[[World], None]) -> list[str]:
    """From the moment of the loss until it is mended."""
    world = World()
    async with service(world, on_gap="snapshot") as running:
        await running.until_caught_up()
        await filled(world)
        began = len(running.process.connection.made)
        lose(world)
        await until(lambda: _has_found_a_gap(world) and _is_whole(world))
        return running.process.connection.made[began:]


def _has_found_a_gap(world: World) -> bool:
    return any(name == "save_progress" and record.gaps for name, record in world.control.writes)


async def heal_with_a_crash(lose: Callable[[World], None], call: int, moment: Moment) -> World:
    """The process dies at that call after the loss, the first is 1; the next one heals what is left."""
    world = World()
    first = await service(world, on_gap="snapshot").open()
    await first.until_caught_up()
    await filled(world)
    lose(world)
    first.process.crash_at(first.process.connection.calls + call, moment)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await until(first.running.done)
    async with service(world, on_gap="snapshot") as second:
        await until_whole(second)
        assert [job.state for job in await second.snapshots.newest()] == [JobState.DONE]
    check_equal(world)
    return world


@pytest.mark.parametrize("lose", LOSSES)
async def test_a_heal_survives_a_crash_at_each_of_its_calls(lose: Callable[[World], None]) -> None:
    calls = await calls_of_a_heal(lose)
    assert {"control.save_progress", "control.begin_job", "source.scan", "replica.scan"} <= set(calls)
    first = calls.index("control.adopt_progress") + 1
    for number, call in enumerate(calls[first - 1 :], first):
        await heal_with_a_crash(lose, number, Moment.BEFORE)
        if call.startswith(WRITES):
            world = await heal_with_a_crash(lose, number, Moment.AFTER)
            await check_over(world)


@pytest.mark.parametrize("second", LOSSES)
@pytest.mark.parametrize("first", LOSSES)
async def test_a_gap_during_a_heal_is_healed_by_another_one(
    first: Callable[[World], None], second: Callable[[World], None]
) -> None:
    world = World()
    async with service(world, on_gap="snapshot") as running:
        await running.until_caught_up()
        await filled(world, 40)
        world.source.page_bytes, world.source.scan_seconds = 100, 6.0
        first(world)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until(lambda: running.pipeline.state is PipelineState.SNAPSHOTTING)
        await asyncio.sleep(5)
        world.source.put(item(3, "3"))
        second(world)
        world.source.put(item(4, "4"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until(lambda: len(running.pipeline.gaps) > 1)
        world.source.scan_seconds = 0.0
        await until_whole(running)
        newest, *older = await running.snapshots.newest()
    assert newest.state is JobState.DONE
    assert [job.state for job in older] == [JobState.FAILED]
    check_equal(world)
    await check_over(world)


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_write_that_takes_effect_after_the_heal_is_mended(is_killed: bool) -> None:
    world = World()
    first = await service(world, on_gap="snapshot").open()
    await first.until_caught_up()
    await filled(world)
    world.plan.fail_next("replica.write_batch", AmbiguousError("cut", "AnswerLost"), moment=Moment.LATE)
    world.source.put(item(9))
    await until(lambda: bool(world.plan.late_writes))
    lose_stream_with(world, lambda: world.source.delete(key(9)))
    if is_killed:
        await first.die()
        first = await service(world, on_gap="snapshot").open()
    await until_whole(first)
    await first.until_caught_up()
    assert not world.plan.late_writes
    check_equal(world)
    first.pipeline.stop()
    await first.running


async def test_nothing_is_caught_up_while_a_heal_is_under_way() -> None:
    world = World()
    async with service(world, on_gap="snapshot") as running:
        await running.until_caught_up()
        await filled(world)
        world.source.scan_seconds = 60.0
        lose_stream(world)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until(lambda: running.pipeline.state is PipelineState.SNAPSHOTTING)
        await asyncio.sleep(40)
        lag = running.report.status().lag
        assert not lag.caught_up
        assert lag.seconds is not None
        assert lag.seconds >= 39
        await until_whole(running)
        await running.until_caught_up()


async def test_a_snapshot_that_another_process_ended_is_not_shown_for_ever() -> None:
    world = World()
    first = await service(world, start_at="snapshot").open()
    await first.flow()
    first.pipeline.show_snapshotting(True)  # as a flow leaves it that ends before its snapshot has begun
    async with service(world, start_at="snapshot") as second:
        await asyncio.sleep(1)
        world.control.of("source--replica").lease = None
        await until(lambda: second.pipeline.replicator is not None)
        await second.pipeline.holder.release(is_clean=True)
        await until(lambda: first.pipeline.replicator is not None)
        await asyncio.sleep(5)
        assert first.pipeline.state is PipelineState.RUNNING
    first.pipeline.stop()
    await first.running


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("is_heal", [False, True])
@pytest.mark.parametrize("call", ["save_job", "file_job", "save_progress"])
async def test_a_gap_at_the_very_end_of_a_snapshot_is_healed_too(
    lose: Callable[[World], None], is_heal: bool, call: str
) -> None:
    """It falls between the last page and what the pipeline saves, or between that and the end of the job."""
    world = World()
    world.source.preset(*[item(number) for number in range(6)])
    running = service(world, start_at="snapshot", on_gap="snapshot")
    if is_heal:
        async with service(world, start_at="snapshot", on_gap="snapshot") as earlier:
            await earlier.until_caught_up()
        lose_stream(world)
    store = FakeControlStore(world.control)
    running.process.control = running.process.connection.to(store, "control")
    running.adapters = running.process.adapters
    scanned = world.source.calls["scan"]
    has_lost = False

    async def lose_once(name: str) -> None:
        nonlocal has_lost
        if name == call and not has_lost and world.source.calls["scan"] >= scanned + SEGMENTS:
            has_lost = True
            lose(world)
            world.source.put(item(4, "44"))

    store.before_call = lose_once
    async with running:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until(lambda: has_lost)
        await until_whole(running)
        await running.until_caught_up()
        check_equal(world)
        assert not [job for job in await running.snapshots.newest() if job.state is JobState.RUNNING]
    await check_over(world)
