"""A list of shards that leaves some out, now or for good, is neither an end nor a gap until that is known."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import GapError, first_of
from service.model import Position, SequenceNumber, Shard, StartAt
from service.pipeline_state import Checkpoint
from service.replication.reading.lineage import first_checkpoints
from service.replication.reading.stream_reader import DISCOVER_EVERY_SECONDS
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.reading_alone import Reading, checkpoint


async def test_an_ended_shard_is_looked_after_until_its_children_are_listed_e19():
    reading = Reading(World(timing=Timing(child_delay=(20.0, 20.0), late_ends=0.0)))
    readers = await reading.readers()
    async with reading.running(readers):
        await asyncio.sleep(1)
        child = reading.stream.roll()
        written = reading.write("a")
        await asyncio.sleep(10)
        assert child not in readers.readers
        assert readers.open_readers(), "without a successor nothing is caught up"
        await asyncio.sleep(12)
        assert await reading.brought() == written


@pytest.mark.parametrize("late", [(20.0, 20.0), (0.0, 7.0)])
async def test_children_of_a_shard_that_a_former_process_ended_are_missed_until_they_are_listed_e19(late):
    """It stopped right after the shard's end, before the list showed what came next (I8)."""
    reading = Reading()
    (parent,) = reading.stream.open_shards
    children = reading.stream.split()
    for child, seconds in zip(children, late, strict=True):
        reading.stream.shards[child].listed_at += seconds
    readers = await reading.readers(Checkpoint(parent.shard_id, Position(), is_closed=True))
    async with reading.running(readers):
        await asyncio.sleep(max(late) - 1)
        assert parent.shard_id in {reader.shard.shard_id for reader in readers.open_readers()}
        await asyncio.sleep(2)
        assert set(children) <= readers.readers.keys()
        await asyncio.sleep(15)
        assert parent.shard_id not in {reader.shard.shard_id for reader in readers.open_readers()}
        assert parent.shard_id not in readers.readers


async def test_a_shard_that_is_gone_after_it_was_read_is_forgotten_e8_e23():
    reading = Reading(poll_seconds=30)
    readers = await reading.readers(checkpoint("shardId-done", is_closed=True))
    async with reading.running(readers) as task:
        await asyncio.sleep(23 * 3600)
        assert readers.take_forgotten() == set()
        await asyncio.sleep(3600 + 120)
        assert not task.done()
        assert readers.take_forgotten() == {"shardId-done"}


async def test_a_closed_shard_that_is_still_listed_is_not_read_again_e23():
    reading = Reading()
    reading.write("a")
    (parent,) = reading.stream.open_shards
    reading.stream.roll()
    readers = await reading.readers(checkpoint(parent.shard_id, is_closed=True))
    async with reading.running(readers):
        await asyncio.sleep(3)
        assert await reading.brought() == []
        assert readers.take_forgotten() == set()


async def test_a_finished_shard_that_is_missing_in_lists_and_listed_again_is_not_read_again():
    reading = Reading()
    reading.write("a")
    (parent,) = reading.stream.open_shards
    reading.stream.roll()
    readers = await reading.readers()
    async with reading.running(readers):
        await asyncio.sleep(3)
        assert len(await reading.brought()) == 1
        reading.stream.shards[parent.shard_id].is_listed = False
        await asyncio.sleep(300)
        reading.stream.shards[parent.shard_id].is_listed = True
        await asyncio.sleep(120)
        assert await reading.brought() == []


async def test_an_open_shard_that_is_missing_at_a_start_is_no_gap_and_not_caught_up():
    reading = Reading()
    (shard,) = reading.stream.open_shards
    written = reading.write("a", "b")
    shard.is_listed = False
    readers = await reading.readers(checkpoint(shard.shard_id, after=written[0]))
    async with reading.running(readers) as task:
        await asyncio.sleep(30)
        assert not task.done()
        (missing,) = readers.open_readers()
        assert missing.tip_seen_at is None
        shard.is_listed = True
        await asyncio.sleep(30)
        assert await reading.brought() == written[1:]


@pytest.mark.parametrize("ended_before", [False, True])
async def test_what_followed_a_shard_that_was_read_to_its_end_and_was_never_listed_is_a_gap(ended_before):
    """Its child was closed and trimmed between two lists; a grandchild is there, whose parent nobody knows."""
    reading = Reading()
    (shard,) = reading.stream.open_shards
    readers = await reading.readers(checkpoint(shard.shard_id, is_closed=ended_before))
    async with asyncio.timeout(180), reading.running(readers) as task:
        await asyncio.sleep(1)
        child = reading.stream.roll()
        reading.stream.shards[child].is_listed = False
        reading.write("a")
        await asyncio.sleep(2)
        grandchild = reading.stream.roll()
        reading.stream.trim(shard.shard_id)
        reading.stream.trim(child)
        while not task.done():
            assert grandchild not in readers.readers
            assert any(reader.tip_seen_at is None for reader in readers.open_readers()), "nothing is caught up"
            await asyncio.sleep(1)
        ended = task.exception()
    gap = first_of(ended) if isinstance(ended, BaseExceptionGroup) else ended
    assert isinstance(gap, GapError)
    assert gap.shard_id == child


async def test_shards_that_are_trimmed_with_their_children_leave_nothing_to_wait_for():
    """What a day brings: a shard and then its child leave the list, long after they were read to their ends (E19)."""
    reading = Reading()
    (shard,) = reading.stream.open_shards
    readers = await reading.readers()
    async with reading.running(readers) as task:
        await asyncio.sleep(1)
        child = reading.stream.roll()
        await asyncio.sleep(60)
        last = reading.stream.roll()
        await asyncio.sleep(60)
        for trimmed in (shard.shard_id, child):
            reading.stream.trim(trimmed)
            await asyncio.sleep(180)
        assert not task.done()
        assert [reader.shard.shard_id for reader in readers.open_readers()] == [last]
        before = reading.stream.calls["describe"]
        await asyncio.sleep(5 * DISCOVER_EVERY_SECONDS)
        assert reading.stream.calls["describe"] - before <= 6


@pytest.mark.parametrize("start", [StartAt.LATEST, StartAt.TRIM_HORIZON])
async def test_a_shard_whose_child_was_gone_before_the_start_is_waited_for_a_minute(start):
    """A closed shard and its grandchild are listed, the shard between them is not, and never will be."""
    reading = Reading()
    (shard,) = reading.stream.open_shards
    child = reading.stream.roll()
    grandchild = reading.stream.roll()
    reading.stream.trim(child)
    listed = [Shard(shard.shard_id, None, ending=SequenceNumber(1)), Shard(grandchild, child)]
    readers = await reading.readers(*first_checkpoints(listed, start, reading.world.clock.now()).values())
    async with reading.running(readers) as task:
        await asyncio.sleep(30)
        assert shard.shard_id in {reader.shard.shard_id for reader in readers.open_readers()}, "it may still be listed"
        await asyncio.sleep(60)
        assert [reader.shard.shard_id for reader in readers.open_readers()] == [grandchild]
        last = reading.stream.roll()
        reading.stream.shards[last].is_listed = False
        await asyncio.sleep(300)
        assert grandchild in {reader.shard.shard_id for reader in readers.open_readers()}, "its own child is late"
        reading.stream.shards[last].is_listed = True
        await asyncio.sleep(10)
        assert [reader.shard.shard_id for reader in readers.open_readers()] == [last]
        assert not task.done()
