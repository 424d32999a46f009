"""A snapshot or a repair by a process of its own: the first start, after a crash, and where another replicates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.errors import HaltError
from service.model import ItemKey
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.jobs.scan_position import ScanPosition
from tests.fakes.command import Command
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item, key

ITEMS = 30
JOBS = pytest.mark.parametrize(
    ("work", "kind"), [(Command.snapshot, "snapshot"), (Command.repair, "verification")], ids=["snapshot", "repair"]
)
Work = Callable[[Command], Awaitable[Any]]


def command_on(world: World, **overrides: Any) -> Command:
    """On a pipeline whose first start is a snapshot."""
    return Command(world, start_at="snapshot", **overrides)


def filled_world(**more: Any) -> World:
    world = World(**more)
    world.source.preset(*[item(number) for number in range(ITEMS)])
    return world


async def test_the_first_start_copies_everything_once():
    world = filled_world()
    command = command_on(world)
    job = await command.snapshot()

    assert (job.state, job.items_scanned, job.items_written) == (JobState.DONE, ITEMS, ITEMS)
    assert command.shown[-1] == job
    assert len(await world.process().control.list_jobs("snapshot", 10)) == 1
    check_equal(world)


@JOBS
async def test_the_lease_is_given_back(work: Work, kind: str):
    world = filled_world()
    await work(command_on(world))

    await check_released(world)


async def check_released(world: World) -> None:
    lease = await world.process().control.read_lease()
    assert lease is not None
    assert lease.is_released


async def test_a_pipeline_that_needs_none_is_copied_again_when_asked():
    world = filled_world()
    first = await command_on(world).snapshot()
    second = await command_on(world).snapshot()

    assert second.id != first.id
    assert (second.items_scanned, second.items_written) == (ITEMS, 0)


async def test_changes_made_meanwhile_are_replicated_too():
    world = filled_world()
    running = asyncio.create_task(command_on(world).snapshot())
    for number in range(ITEMS):
        await asyncio.sleep(0.05)
        world.source.put(item(number, "2"))
    await running
    async with Service(world) as service:
        await service.until_caught_up()
    check_all(world)


async def under_way(command: Command, work: Work) -> asyncio.Task[Any]:
    running = asyncio.create_task(work(command), name="command")
    await until(lambda: bool(command.shown))
    return running


async def check_goes_on(world: World, stopped: Command, work: Work, kind: str) -> None:
    """The next one ends the job that was left."""
    assert stopped.shown[-1].state is JobState.RUNNING
    job = await work(command_on(world))
    assert (job.id, job.state) == (stopped.shown[-1].id, JobState.DONE)
    assert len(await world.process().control.list_jobs(kind, 10)) == 1
    check_equal(world)


@JOBS
async def test_what_a_crash_interrupted_goes_on_as_the_same_job(work: Work, kind: str):
    world = filled_world(max_latency=1.0)
    killed = command_on(world)
    running = await under_way(killed, work)
    killed.process.connection.kill()
    running.cancel()
    await asyncio.wait([running])
    await check_goes_on(world, killed, work, kind)


@JOBS
async def test_a_stop_is_in_order_and_the_next_one_goes_on(work: Work, kind: str):
    world = filled_world(max_latency=1.0)
    stopped = command_on(world)
    running = await under_way(stopped, work)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    await check_released(world)
    await check_goes_on(world, stopped, work, kind)


@JOBS
async def test_it_is_refused_while_a_service_replicates_as_soon_as_that_renews_its_lease(work: Work, kind: str):
    world = filled_world()
    async with Service(world, start_at="trim_horizon") as service:
        await service.until_caught_up()
        asked_at = world.clock.now()
        with pytest.raises(ConflictError, match="--url"):
            await work(command_on(world))
        assert world.clock.now() - asked_at < service.settings.lease_seconds
    assert await world.process().control.list_jobs(kind, 10) == []


@JOBS
async def test_the_lease_of_a_dead_process_is_waited_for(work: Work, kind: str):
    world = filled_world()
    service = await Service(world, start_at="trim_horizon").open()
    await service.until_caught_up()
    await service.die()

    assert (await work(command_on(world))).state is JobState.DONE
    check_equal(world)


@JOBS
async def test_it_is_refused_in_a_pause(work: Work, kind: str):
    world = filled_world()
    await world.process().control.set_paused(True)

    with pytest.raises(ConflictError, match="resume"):
        await work(command_on(world))
    assert not world.replica.items


@JOBS
async def test_a_pause_meanwhile_ends_the_command_and_the_job_goes_on_later(work: Work, kind: str):
    world = filled_world(max_latency=1.0)
    paused = command_on(world)
    running = await under_way(paused, work)
    await world.process().control.set_paused(True)
    with pytest.raises(ConflictError, match="goes on when it is resumed"):
        await running
    await world.process().control.set_paused(False)
    await check_goes_on(world, paused, work, kind)


@JOBS
async def test_a_control_table_that_does_not_answer_for_a_while_is_waited_for(work: Work, kind: str):
    world = filled_world()
    world.plan.outage("control", world.clock.now(), world.clock.now() + 60)
    assert (await work(command_on(world))).state is JobState.DONE


async def test_filters_and_a_transform_are_those_of_the_stream():
    world = World()
    world.source.preset(item(1, secret={"S": "x"}), item(2, draft={"BOOL": True}), item(3))
    transform = "tests.support.transforms:without_drafts"
    job = await command_on(world, transform=transform, exclude_attributes="secret").snapshot()

    assert (job.items_scanned, job.items_written) == (3, 2)
    assert (world.replica.item(key(1)) or {}).keys() == {"key", "value", "copied", "timestamp"}
    assert world.replica.item(key(2)) is None


async def test_an_item_whose_key_the_transform_changes_becomes_a_dead_letter_that_says_so():
    world = filled_world()
    world.source.preset(item(0, rename={"BOOL": True}))
    job = await command_on(world, transform="tests.support.transforms:renaming").snapshot()

    assert (job.items_scanned, job.items_written) == (ITEMS, ITEMS - 1)
    letters = [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
    assert [letter.error for letter in letters] == ["the transform changed the item's key, which must stay as it is"]


def test_the_number_of_segments_is_that_of_the_start_whatever_the_program_says_by_then():
    place = ScanPosition({})
    place.move("source", 0, ItemKey(b'{"key":{"S":"a"}}'))
    place.move("source", 1, None)
    later = ScanPosition({**place.saved(), "segments": 3})

    assert later.segments == 3
    assert later.start_of("source", 0) == ItemKey(b'{"key":{"S":"a"}}')
    assert [later.is_finished("source", segment) for segment in range(3)] == [False, True, False]


async def test_a_gap_is_mended_and_what_the_source_no_longer_has_is_removed():
    world = filled_world()
    await command_on(world).snapshot()
    world.source.recreate_stream()
    world.source.stream.disable()
    world.source.delete(key(0))
    world.source.recreate_stream()
    job = await command_on(world).snapshot()

    assert job.state is JobState.DONE
    check_equal(world)


@JOBS
async def test_a_world_that_it_can_not_mend_is_an_error_for_a_person(work: Work, kind: str):
    world = filled_world()
    await command_on(world).snapshot()
    world.source.stream.disable()

    with pytest.raises(HaltError):
        await work(command_on(world))
