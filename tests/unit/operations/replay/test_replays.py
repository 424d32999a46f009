"""A replay: what it writes, what it leaves alone, and what it counts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from service.errors import ChangeError
from service.model import Delete, ViewType
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.service import Service
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal, check_never_back
from tests.support.numbered_items import item, key
from tests.support.replayed_history import HORIZON, caught_up, counts, write_calls, written


async def with_history(service: Service) -> None:
    """A day in small: items that changed, were deleted, brought back, over a roll and a split."""
    await written(service, *range(30))
    await written(service, *range(10), value="2")
    for number in range(20, 25):
        service.world.source.delete(key(number))
    service.world.source.stream.roll()
    await written(service, 20, 21, 5, value="1")
    service.world.source.stream.split()
    await written(service, *range(3, 8), value="3")


async def test_an_undamaged_replica_is_not_written_to_at_all():
    async with Service(World()) as service:
        await with_history(service)
        before, window = write_calls(service.world), (await service.flow()).window.until
        job = await service.replay(**HORIZON)
        read, applied, unchanged = counts(job)
        assert (read, applied) == (unchanged, 0)
        assert read == 30 + 10 + 5 + 3 + 5
        assert write_calls(service.world) == before
        assert (await service.flow()).window.until == window, "the live stream's batches go on without conditions"
        check_all(service.world)


@pytest.mark.parametrize("view_type", list(ViewType))
@pytest.mark.parametrize("attribute", ["dynamirror_sequence", ""])
async def test_every_kind_of_stream_leaves_an_undamaged_replica_alone(view_type: ViewType, attribute: str):
    world = World(view_type=view_type, sequence_attribute=attribute)
    async with Service(world, sequence_attribute=attribute) as service:
        await with_history(service)
        before = write_calls(world)
        read, applied, unchanged = counts(await service.replay(**HORIZON))
        assert (read, applied) == (unchanged, 0)
        assert write_calls(world) == before


def damage(world: World) -> None:
    """In four ways, and once with the number of the change that the replica had."""
    for number in (1, 4):
        world.replica.lose(key(number))
    world.replica.preset(item(2, "17"))
    world.replica.preset({**item(22), "dynamirror_sequence": {"S": "0" * 40}})
    world.replica.preset({"key": {"S": "key12"}, "value": {"S": "1"}})
    held: Any = world.replica.item(key(6))
    world.replica.preset({**held, "value": {"N": "17"}})


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_a_damaged_replica_is_mended_as_far_as_history_tells(view_type: ViewType):
    world = World(view_type=view_type)
    async with Service(world) as service:
        await with_history(service)
        damage(world)
        assert counts(await service.replay(**HORIZON))[1] == 6
        check_equal(world)
        assert counts(await service.replay(**HORIZON))[1] == 0
        world.source.put(item(1, "5"))
        world.source.delete(key(2))
        await caught_up(service)
        check_equal(world)


async def test_a_dry_run_tells_what_would_change_and_changes_nothing():
    async with Service(World()) as service:
        await with_history(service)
        damage(service.world)
        before = write_calls(service.world)
        job = await service.replay(**HORIZON, dry_run=True)
        assert counts(job)[1] == 6
        assert job.dry_run
        assert write_calls(service.world) == before


async def test_only_what_the_source_still_holds_is_brought():
    """The replica lost key1, and the source has moved on: no state of before may show."""
    async with Service(World()) as service:
        await written(service, 1, value="1")
        await written(service, 1, value="2")
        service.world.replica.lose(key(1))
        service.world.source.stream.timing.record_delay = (100.0, 100.0)
        service.world.source.put(item(1, "3"))
        assert counts(await service.replay(**HORIZON)) == (2, 0, 2)
        await asyncio.sleep(120)
        check_all(service.world)


async def test_a_live_change_that_is_behind_what_a_replay_brought_does_not_take_it_back():
    """The source went 1, gone, 2, 1. The replica shows that it is gone, then the replay's 1, and 2 comes after it."""
    async with Service(World()) as service:
        world = service.world
        await written(service, 1, value="1")
        world.source.stream.roll()
        world.source.delete(key(1))
        await caught_up(service)
        world.source.stream.timing.record_delay = (100.0, 100.0)
        world.source.put(item(1, "2"))
        await asyncio.sleep(10)
        world.source.put(item(1, "1"))
        assert counts(await service.replay(**HORIZON)) == (2, 1, 1)
        assert world.replica.item(key(1)) is not None
        await asyncio.sleep(120)
        shown = world.replica.history[world.replica.key(key(1))][2:]
        assert all(state.image is not None and b'"N":"1"' in state.image for state in shown)
        check_all(world)


async def test_a_replay_does_not_move_the_live_reading():
    async with Service(World()) as service:
        await with_history(service)
        flow = await service.flow()
        before = flow.checkpoints.record.checkpoints
        await service.replay(**HORIZON)
        assert flow.checkpoints.record.checkpoints == before


async def test_what_was_read_and_is_not_applied_yet_is_waited_for():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.plan.outage("replica", service.process.clock.now(), service.process.clock.now() + 30)
        service.world.source.put(item(1, "2"))
        await asyncio.sleep(3)
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(10)
        assert (await service.replays.found(job.id)).records_read == 0
        assert counts(await service.replayed(job.id)) == (2, 0, 2)
        check_all(service.world)


async def test_a_record_that_the_replica_refuses_becomes_one_dead_letter():
    async with Service(World()) as service:
        await written(service, *range(3))
        service.world.replica.lose(key(1))
        service.world.replica.poison = lambda write: ChangeError("refused")
        for _ in range(2):
            assert counts(await service.replay(**HORIZON)) == (3, 0, 2)
            letters, _ = await service.letters.page(10, None)
            assert [letter["keys"] for letter in letters] == [key(1)]
            assert (await service.flow()).dead_letters.counted.value == 1


async def test_the_filters_of_the_stream_are_those_of_a_replay():
    transform = "tests.support.transforms:without_drafts"
    async with Service(World(), transform=transform, skip_ttl_deletes=True) as service:
        await written(service, 1, 2)
        service.world.source.put(item(3, draft={"BOOL": True}))
        service.world.source.delete(key(2), is_ttl=True)
        await caught_up(service)
        before = write_calls(service.world)
        assert counts(await service.replay(**HORIZON)) == (4, 0, 4)
        assert write_calls(service.world) == before
        service.world.replica.lose(key(1))
        assert counts(await service.replay(**HORIZON)) == (4, 1, 3)
        assert service.world.replica.item(key(3)) is None
        assert (service.world.replica.item(key(1)) or {})["copied"] == {"BOOL": True}


async def test_records_that_nobody_understands_stop_no_replay():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.source.add_unreadable(key(1))
        await written(service, 2)
        assert counts(await service.replay(**HORIZON)) == (3, 0, 3)
        assert (await service.flow()).dead_letters.counted.value == 1


async def test_a_busy_table_and_a_bad_network_do_not_bring_an_item_back():
    rates = dict.fromkeys(("streams", "source", "replica", "control"), Rates.wild())
    world = World(seed=5, plan=FaultPlan(5, rates, budget=200), timing=Timing.wild(), shards=2, max_latency=0.1)
    async with Service(world, start_at="trim_horizon") as service:
        await service.flow()

        async def write() -> None:
            for step in range(300):
                number = step * 7 % 20
                if step % 5:
                    world.source.put(item(number, str(step % 3)))
                else:
                    world.source.delete(key(number))
                if step % 60 == 59:
                    world.source.stream.split()
                if step % 40 == 20:
                    world.replica.lose(key(number))
                await asyncio.sleep(0.3)

        async def replayed() -> JobState:
            while True:
                with suppress(ConflictError):  # so many lost answers in a row may cost the lease
                    return (await service.replay(**HORIZON)).state
                await asyncio.sleep(1)

        writing = asyncio.create_task(write())
        ended = []
        while not writing.done():
            ended.append(await replayed())
        await asyncio.sleep(30)
        ended.append(await replayed())
        assert set(ended) == {JobState.DONE}
        await caught_up(service)
        check_never_back(world)
        check_equal(world)


async def test_an_item_that_the_replica_can_not_delete_is_told():
    async with Service(World()) as service:
        await written(service, 1)
        service.world.source.delete(key(1))
        await caught_up(service)
        service.world.replica.preset(item(1))
        service.world.replica.poison = lambda write: ChangeError("no") if isinstance(write, Delete) else None
        assert counts(await service.replay(**HORIZON)) == (2, 0, 1)
        assert (await service.flow()).dead_letters.counted.value == 1


async def test_a_replay_removes_what_the_transform_leaves_out_and_a_dry_run_counts_it():
    async with Service(World(), transform="tests.support.transforms:without_drafts") as service:
        service.world.source.put(item(1))
        service.world.source.put(item(1, draft={"BOOL": True}))
        await caught_up(service)
        service.world.replica.preset(item(1, "9"))
        assert counts(await service.replay(**HORIZON, dry_run=True)) == (2, 1, 1)
        assert service.world.replica.item(key(1)) is not None
        assert counts(await service.replay(**HORIZON)) == (2, 1, 1)
        assert service.world.replica.item(key(1)) is None
