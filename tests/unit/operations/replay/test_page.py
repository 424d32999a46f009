"""What a replay does with one page's keys: which it reads in the source, and what it refreshes from there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.model import ViewType
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.numbered_items import item, key
from tests.support.replayed_history import HORIZON, caught_up, counts, write_calls, written

DRAFTS = "tests.support.transforms:without_drafts"


@pytest.mark.parametrize("transform", ["", DRAFTS])
async def test_the_source_is_not_read_for_what_the_replica_shows(transform: str):
    async with Service(World(), transform=transform) as service:
        await written(service, *range(10))
        service.world.source.delete(key(3))
        await caught_up(service)
        before = service.world.source.calls["get_many"]
        assert counts(await service.replay(**HORIZON)) == (11, 0, 11)
        assert service.world.source.calls["get_many"] == before
        service.world.replica.lose(key(1))
        assert counts(await service.replay(**HORIZON, dry_run=True)) == (11, 1, 10)
        assert service.world.source.calls["get_many"] == before + 1


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_out_of_an_archive_only_a_remove_record_that_is_not_ttls_takes_an_item(view_type: ViewType):
    world = World(view_type=view_type)
    async with Service(world, skip_ttl_deletes=True) as service:
        await written(service, 1, 2, 3)
        world.source.delete(key(1))
        world.source.delete(key(2), is_ttl=True)
        await caught_up(service)
        for number in (1, 2):
            world.replica.preset(item(number, "17"))
        assert counts(await service.replay(**HORIZON, dry_run=True)) == (5, 1, 4)
        assert counts(await service.replay(**HORIZON)) == (5, 1, 4)
        assert world.replica.item(key(1)) is None
        assert world.replica.item(key(2)) == item(2, "17")
        assert counts(await service.replay(**HORIZON)) == (5, 0, 5)


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_without_an_archive_a_ttl_delete_is_a_delete(view_type: ViewType):
    world = World(view_type=view_type)
    async with Service(world) as service:
        await written(service, 1)
        world.source.delete(key(1), is_ttl=True)
        await caught_up(service)
        world.replica.preset(item(1, "17"))
        assert counts(await service.replay(**HORIZON)) == (2, 1, 1)
        assert world.replica.item(key(1)) is None


async def test_what_changes_between_the_look_and_the_turn_is_written_as_the_source_holds_it_then():
    """The replica lost key1; while the replay looks at the source, the item changes once more."""
    async with Service(World()) as service:
        world = service.world
        await written(service, 1, value="1")
        world.replica.lose(key(1))
        world.source.stream.timing.record_delay = (100.0, 100.0)
        get_many = world.source.get_many

        async def changing(keys: Any) -> Any:
            found = await get_many(keys)
            world.source.put(item(1, "2"))
            return found

        world.source.get_many = changing  # type: ignore[method-assign]  # a source that is written meanwhile
        assert counts(await service.replay(**HORIZON)) == (1, 1, 0)
        held = world.replica.item(key(1)) or {}
        assert held["value"] == {"N": "2"}
        assert "dynamirror_sequence" not in held, "a change that is still on its way is judged by the source"
        await asyncio.sleep(120)
        check_all(world)


async def test_what_is_right_by_the_time_of_its_turn_is_not_written_and_counts_as_unchanged():
    async with Service(World()) as service:
        world = service.world
        await written(service, 1)
        world.replica.lose(key(1))
        get_many = world.source.get_many

        async def mending(keys: Any) -> Any:
            found = await get_many(keys)
            world.replica.preset(item(1))
            return found

        world.source.get_many = mending  # type: ignore[method-assign]  # a hand is quicker
        before = write_calls(world)
        assert counts(await service.replay(**HORIZON)) == (1, 0, 1)
        assert write_calls(world) == before


async def test_a_pause_stops_the_reads_in_midst_of_a_page():
    async with Service(World()) as service:
        world = service.world
        await written(service, *range(250))
        flow = await service.flow()
        get_many, calls = world.replica.get_many, 0

        async def pausing(keys: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                await service.adapters.control.set_paused(True)
                service.pipeline.show_paused(True)
            return await get_many(keys)

        world.replica.get_many = pausing  # type: ignore[method-assign]  # a replica at which somebody pauses
        job = await service.replays.start(flow, **HORIZON)
        await asyncio.sleep(20)
        assert calls == 1
        await service.adapters.control.set_paused(False)
        service.pipeline.show_paused(False)
        assert counts(await service.replayed(job.id)) == (250, 0, 250)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_of_what_can_not_be_written_only_the_present_state_becomes_a_dead_letter(dry_run: bool):
    """Each page has one record; the first of key2 was refused as well, and its letter is discarded by now."""
    async with Service(World(), transform="tests.support.transforms:choking", queue_max_records=1) as service:
        await service.flow()
        for number, more in [(1, {"choke": {"S": "!"}}), (2, {"choke": {"S": "!"}}), (2, {})]:
            service.world.source.put(item(number, **more))
        await caught_up(service)
        letters, _ = await service.letters.page(10, None)
        for letter in letters:
            await service.letters.discard(letter["id"])
        assert counts(await service.replay(**HORIZON, dry_run=dry_run)) == (3, 0, 2)
        left, _ = await service.letters.page(10, None)
        assert [letter["keys"] for letter in left] == [key(1)] * (not dry_run)
