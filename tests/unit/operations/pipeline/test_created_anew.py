"""A replica or a control table that was deleted and created anew is another one: loud or healed, never taken up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.errors import GapError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.replication.requests.replica_watch import check_replica
from tests.fakes.command import Command
from tests.fakes.service import until
from tests.fakes.world import World
from tests.support.invariants import check_equal
from tests.support.numbered_items import item
from tests.unit.operations.pipeline.test_healing import SnapshottingService, filled, service

STARTS = ["latest", "snapshot", "trim_horizon"]
PATIENCE_SECONDS = 120


async def until_failed(running: SnapshottingService) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await until(lambda: running.pipeline.state is PipelineState.FAILED)
    assert not running.report.status().lag.caught_up
    return str(running.pipeline.reason)


def clear_control_table(world: World) -> None:
    world.control.pipelines.clear()
    world.control.claims.clear()


@pytest.mark.parametrize("write_mode", ["auto", "strict"])
async def test_nothing_is_written_to_another_replica_once_a_write_has_found_none(write_mode: str) -> None:
    world = World()
    async with service(world, write_mode=write_mode) as running:
        await running.until_caught_up()
        await filled(world)
        world.replica.is_missing = True
        world.source.put(item(1, "2"))
        world.source.put(item(7))
        await asyncio.sleep(1)
        described = world.replica.calls["describe"]
        world.replica.recreate()
        world.replica.is_missing = False
        writes = world.replica.writes.copy()
        assert "was re-created" in await until_failed(running)
        assert world.replica.writes == writes
        assert world.replica.calls["describe"] == described + 1


async def test_a_replica_that_is_missing_for_long_is_not_asked_for_by_every_writer() -> None:
    world = World()
    async with service(world, writers=16) as running:
        await running.until_caught_up()
        await filled(world)
        world.replica.is_missing = True
        for number in range(40):
            world.source.put(item(number, "2"))
        await asyncio.sleep(1)
        described = world.replica.calls["describe"]
        await asyncio.sleep(60)
        assert world.replica.calls["describe"] - described <= 70
        world.replica.is_missing = False
        await running.until_caught_up()
        check_equal(world)


async def test_a_standby_finds_the_other_replica_when_it_takes_over() -> None:
    world = World()
    async with service(world) as first, service(world) as standby:
        await first.until_caught_up()
        await filled(world)
        await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
        await first.die()
        world.replica.recreate()
        assert "was re-created" in await until_failed(standby)
        await standby.snapshots.start()
        await standby.until_caught_up()
        check_equal(world)


async def test_a_snapshot_by_itself_fills_the_other_replica() -> None:
    world = World()
    async with service(world) as first:
        await first.until_caught_up()
        await filled(world)
    world.replica.recreate()
    world.replica.preset(item(99))
    job = await Command(world, start_at="snapshot").snapshot()
    assert job.state is JobState.DONE
    check_equal(world)


@pytest.mark.parametrize("start_at", STARTS)
async def test_a_control_table_that_lost_the_progress_stops_the_pipeline_and_every_later_start(start_at: str) -> None:
    world = World()
    async with service(world, start_at=start_at) as running:
        await running.until_caught_up()
        await filled(world)
        world.replica.preset(item(99))
        clear_control_table(world)
        reason = await until_failed(running)
        assert "progress is gone from the control table" in reason
        assert len(running.pipeline.gaps) == 1
    async with service(world, start_at=start_at) as second:
        assert await until_failed(second) == reason
        assert len(second.pipeline.gaps) == 1
        await second.snapshots.start()
        await second.until_caught_up()
        check_equal(world)
        assert not second.pipeline.gaps


@pytest.mark.parametrize("start_at", STARTS)
async def test_a_control_table_that_lost_the_progress_is_healed_by_a_snapshot_that_removes(start_at: str) -> None:
    world = World()
    async with service(world, start_at=start_at, on_gap="snapshot") as running:
        await running.until_caught_up()
        await filled(world)
        flow = await running.flow()
        world.replica.preset(item(99))
        clear_control_table(world)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await until(lambda: running.pipeline.replicator not in (None, flow))
            await running.until_caught_up()
        check_equal(world)
        assert not [text for text in running.report.status().warnings if "knows nothing" in text]
    saved = world.control.of("source--replica").progress
    assert saved is not None
    assert (saved.gaps, saved.needs_snapshot) == ((), False)


async def test_a_standby_that_takes_over_from_a_control_table_without_progress_does_not_begin_anew() -> None:
    world = World()
    async with service(world) as first, service(world) as standby:
        await first.until_caught_up()
        await filled(world)
        await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
        await first.die()
        clear_control_table(world)
        assert "progress is gone" in await until_failed(standby)


async def test_a_start_that_never_saved_anything_is_still_a_first_start() -> None:
    world = World()
    first = await service(world).open()
    await until(lambda: first.pipeline.holder.lease is not None)
    await first.die()
    async with service(world) as second:
        await second.until_caught_up()


async def test_a_first_start_on_what_was_replicated_before_is_warned_of() -> None:
    world = World()
    async with service(world) as first:
        await first.until_caught_up()
        await filled(world)
    clear_control_table(world)
    async with service(world) as second:
        await second.until_caught_up()
        warnings = second.report.status().warnings
    assert [warning for warning in warnings if "knows nothing of this pipeline" in warning]


@pytest.mark.parametrize("is_ours", [True, False])
async def test_copied_items_have_no_number_and_are_known_by_their_stamp(is_ours: bool) -> None:
    world = World()
    stamp = "2026-11-28T19:40:48.082Z" if is_ours else "2026-11-28 19:40:48"
    world.replica.preset(item(1), item(2, timestamp={"S": stamp}))
    async with service(world) as running:
        await running.until_caught_up()
        warnings = running.report.status().warnings
    assert bool([warning for warning in warnings if "knows nothing of this pipeline" in warning]) == is_ours


async def test_ids_of_two_kinds_tell_nothing() -> None:
    table = await World().replica.describe()
    made = "created 2026-11-01T10:00:00+00:00"
    check_replica(made, replace(table, table_id="12345678-aaaa"))
    check_replica("12345678-aaaa", replace(table, table_id=made))
    check_replica(made, replace(table, table_id=made))
    check_replica(None, table)
    check_replica(made, replace(table, table_id=""))
    for known, found in ((made, "created 2026-11-01T10:00:01+00:00"), ("a", "b")):
        with pytest.raises(GapError, match="was re-created, or another table is named by now"):
            check_replica(known, replace(table, table_id=found))
