"""A snapshot by a process of its own: on an empty world, after a crash, and where another replicates."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import HaltError
from service.events import Observers
from service.model import ItemKey
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState, Snapshot
from service.operations.pipeline.pipeline import Outside, Pipeline
from service.operations.snapshot.run import Place
from service.operations.snapshot.snapshots import Snapshots
from service.operations.snapshot.standalone import snapshot_standalone
from tests.fakes.service import Service, settings_of, until
from tests.fakes.world import Process, World
from tests.support.invariants import check_all, check_equal
from tests.unit.operations.verification.test_verifications import item, key

ITEMS = 30


class Command:
    """One run of the command on a world."""

    def __init__(self, world: World, process: Process | None = None, **overrides: Any) -> None:
        self._world = world
        self.process = process or world.process()
        self._settings = settings_of(**{"start_at": "snapshot"} | overrides)
        self.shown: list[Snapshot] = []

    async def run(self) -> Snapshot:
        line = self.process
        adapters = line.adapters

        async def look() -> Outside:
            return Outside(adapters, await self._world.source.describe(), await self._world.replica.describe())

        pipeline = Pipeline(
            settings=self._settings,
            outside=await look(),
            look_again=look,
            owner=f"command-{id(self)}",
            observer=Observers(),
        )
        snapshots = Snapshots(pipeline=pipeline, adapters=adapters, observer=Observers())
        return await snapshot_standalone(pipeline, snapshots, self.shown.append)


def filled_world(**more: Any) -> World:
    world = World(**more)
    world.source.preset(*[item(number) for number in range(ITEMS)])
    return world


async def test_the_first_start_copies_everything_once():
    world = filled_world()
    command = Command(world)
    job = await command.run()

    assert (job.state, job.items_scanned, job.items_written) == (JobState.DONE, ITEMS, ITEMS)
    assert command.shown[-1] == job
    assert len(await world.process().control.list_jobs("snapshot", 10)) == 1
    check_equal(world)


async def test_the_lease_is_given_back():
    world = filled_world()
    await Command(world).run()

    lease = await world.process().control.read_lease()
    assert lease is not None
    assert lease.is_released


async def test_a_pipeline_that_needs_none_is_copied_again_when_asked():
    world = filled_world()
    first = await Command(world).run()
    second = await Command(world).run()

    assert second.id != first.id
    assert (second.items_scanned, second.items_written) == (ITEMS, 0)


async def test_changes_made_meanwhile_are_replicated_too():
    world = filled_world()
    running = asyncio.create_task(Command(world).run())
    for number in range(ITEMS):
        await asyncio.sleep(0.05)
        world.source.put(item(number, "2"))
    await running
    async with Service(world) as service:
        await service.until_caught_up()
    check_all(world)


async def test_what_a_crash_interrupted_goes_on_as_the_same_snapshot():
    world = filled_world(max_latency=1.0)
    killed = Command(world)
    running = asyncio.create_task(killed.process.live(killed.run()))
    await until(lambda: bool(killed.shown))
    killed.process.connection.kill()
    running.cancel()
    await asyncio.wait([running])
    assert killed.shown[-1].state is JobState.RUNNING
    job = await Command(world).run()

    assert job.id == killed.shown[-1].id
    assert len(await world.process().control.list_jobs("snapshot", 10)) == 1
    check_equal(world)


async def test_a_stop_is_in_order_and_the_next_one_goes_on():
    world = filled_world(max_latency=1.0)
    stopped = Command(world)
    running = asyncio.create_task(stopped.run())
    await until(lambda: bool(stopped.shown))
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    lease = await world.process().control.read_lease()
    assert lease is not None
    assert lease.is_released
    job = await Command(world).run()

    assert job.id == stopped.shown[-1].id
    assert len(await world.process().control.list_jobs("snapshot", 10)) == 1
    check_equal(world)


async def test_it_is_refused_while_a_service_replicates():
    world = filled_world()
    async with Service(world, start_at="trim_horizon") as service:
        await service.until_caught_up()
        with pytest.raises(ConflictError, match="--url"):
            await Command(world).run()
    assert await world.process().control.list_jobs("snapshot", 10) == []


async def test_the_lease_of_a_dead_process_is_waited_for():
    world = filled_world()
    service = await Service(world, start_at="trim_horizon").open()
    await service.until_caught_up()
    await service.die()

    assert (await Command(world).run()).items_written == ITEMS


async def test_it_is_refused_in_a_pause():
    world = filled_world()
    await world.process().control.set_paused(True)

    with pytest.raises(ConflictError, match="resume"):
        await Command(world).run()


async def test_filters_and_a_transform_are_those_of_the_stream():
    world = World()
    world.source.preset(item(1, secret={"S": "x"}), item(2, draft={"BOOL": True}), item(3))
    transform = "tests.support.transforms:without_drafts"
    job = await Command(world, transform=transform, exclude_attributes="secret").run()

    assert (job.items_scanned, job.items_written) == (3, 2)
    assert (world.replica.item(key(1)) or {}).keys() == {"key", "value", "copied", "timestamp"}
    assert world.replica.item(key(2)) is None


async def test_an_item_whose_key_the_transform_changes_becomes_a_dead_letter_that_says_so():
    world = filled_world()
    world.source.preset(item(0, rename={"BOOL": True}))
    job = await Command(world, transform="tests.support.transforms:renaming").run()

    assert (job.items_scanned, job.items_written) == (ITEMS, ITEMS - 1)
    letters = [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
    assert [letter.error for letter in letters] == ["the transform changed the item's key, which must stay as it is"]


def test_the_number_of_segments_is_that_of_the_start_whatever_the_program_says_by_then():
    place = Place({})
    place.move("source", 0, ItemKey(b'{"key":{"S":"a"}}'))
    place.move("source", 1, None)
    later = Place({**place.saved(), "segments": 3})

    assert later.segments == 3
    assert later.start_of("source", 0) == ItemKey(b'{"key":{"S":"a"}}')
    assert [later.is_finished("source", segment) for segment in range(3)] == [False, True, False]


async def test_a_gap_is_mended_and_what_the_source_no_longer_has_is_removed():
    world = filled_world()
    await Command(world).run()
    world.source.recreate_stream()
    world.source.stream.disable()
    world.source.delete(key(0))
    world.source.recreate_stream()
    job = await Command(world).run()

    assert job.state is JobState.DONE
    check_equal(world)


async def test_a_world_that_a_snapshot_can_not_mend_is_an_error_for_a_person():
    world = filled_world()
    await Command(world).run()
    world.source.stream.disable()

    with pytest.raises(HaltError):
        await Command(world).run()
