"""A shard is read when its parents are, as far as anybody can know."""

from __future__ import annotations

import asyncio

from service.model import Position, StartAt
from service.pipeline_state import Checkpoint
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.reading_alone import Reading, checkpoint


async def test_a_child_is_read_after_its_parents_end_and_from_its_start_e15_e16():
    reading = Reading()
    first = reading.write("a")
    (parent,) = reading.stream.open_shards
    child = reading.stream.roll()
    second = reading.write("a")
    start = Position(start=StartAt.LATEST, since=reading.world.clock.now())
    readers = await reading.readers(Checkpoint(parent.shard_id, start))
    async with reading.running(readers):
        await asyncio.sleep(3)
        assert await reading.brought() == first + second
        assert readers.readers[child].position.start is StartAt.TRIM_HORIZON
        assert parent.shard_id in readers.ended_at


async def test_a_child_whose_parent_is_trimmed_is_read_e17():
    reading = Reading()
    reading.write("a")
    (parent,) = reading.stream.open_shards
    reading.stream.roll()
    await asyncio.sleep(1)
    reading.stream.trim(parent.shard_id)
    written = reading.write("a")
    async with reading.running(await reading.readers()):
        await asyncio.sleep(2)
        assert await reading.brought() == written


async def test_a_parent_that_is_listed_as_open_does_not_block_its_child_e18():
    reading = Reading(World(timing=Timing(ending_delay=(1000.0, 1000.0), late_ends=0.0)))
    reading.stream.roll()
    written = reading.write("a")
    async with reading.running(await reading.readers()):
        await asyncio.sleep(3)
        assert await reading.brought() == written


async def test_a_second_child_that_is_listed_later_is_found_e19():
    reading = Reading()
    readers = await reading.readers()
    async with reading.running(readers):
        await asyncio.sleep(1)
        children = reading.stream.split()
        reading.stream.shards[children[1]].listed_at += 7
        await asyncio.sleep(5)
        assert [child in readers.readers for child in children] == [True, False]
        await asyncio.sleep(4)
        assert children[1] in readers.readers


async def test_two_children_of_one_parent_and_their_children_are_all_read_e22():
    reading = Reading()
    async with reading.running(await reading.readers()):
        written = []
        for _ in range(4):
            written += reading.write(*[f"k{number}" for number in range(12)])
            for shard in reading.stream.open_shards:
                reading.stream.split(shard.shard_id)
        await asyncio.sleep(20)
        assert sorted(await reading.brought()) == written


async def test_a_child_waits_while_its_parents_reader_is_at_work_whatever_the_list_says():
    reading = Reading(World(timing=Timing(late_ends=0.0, empty_pages=1.0)))
    reading.write("a")
    (parent,) = reading.stream.open_shards
    readers = await reading.readers()
    async with reading.running(readers):
        await asyncio.sleep(3)
        child = reading.stream.roll()
        reading.stream.shards[parent.shard_id].is_listed = False
        await asyncio.sleep(300)
        assert child in readers.shards
        assert child not in readers.readers
        assert any(reader.tip_seen_at is None for reader in readers.open_readers())
        reading.stream.timing.empty_pages = 0.0
        await asyncio.sleep(60)
        assert child in readers.readers


async def test_a_child_whose_saved_unread_parent_is_missing_waits_for_it():
    reading = Reading()
    (parent,) = reading.stream.open_shards
    first = reading.write("a")
    child = reading.stream.roll()
    second = reading.write("a")
    parent.is_listed = False
    readers = await reading.readers(checkpoint(parent.shard_id))
    async with reading.running(readers):
        await asyncio.sleep(30)
        assert child not in readers.readers
        parent.is_listed = True
        await asyncio.sleep(30)
        assert await reading.brought() == first + second


async def test_a_later_child_of_an_unknown_parent_starts_after_a_minute_of_lists_without_it():
    reading = Reading(World(shards=2, timing=Timing(late_ends=0.0)))
    known, parent = reading.stream.open_shards
    child = reading.stream.roll(parent.shard_id)
    reading.stream.trim(parent.shard_id)
    readers = await reading.readers(checkpoint(known.shard_id))
    async with reading.running(readers):
        await asyncio.sleep(30)
        assert child not in readers.readers
        assert readers.open_readers()
        await asyncio.sleep(60)
        assert child in readers.readers
