"""What was trimmed or is gone before it was read is a gap, and nothing else is."""

from __future__ import annotations

import asyncio

from service.errors import GapError, UnavailableError
from service.model import Position, SequenceNumber, StreamStatus
from service.pipeline_state import Checkpoint
from service.replication.reading.stream_reader import DISCOVER_EVERY_SECONDS
from tests.support.reading_alone import Reading, checkpoint


async def test_a_trimmed_position_is_a_gap_that_says_where_e7():
    reading = Reading()
    first, second, _ = reading.write("a", "b", "c")
    (shard,) = reading.stream.open_shards
    reading.stream.trim(shard.shard_id, SequenceNumber(second))
    gap = await reading.gap(checkpoint(shard.shard_id, after=first))
    assert isinstance(gap, GapError)
    assert gap.shard_id == shard.shard_id
    assert gap.after == str(SequenceNumber(first))
    assert "snapshot" in str(gap)


async def test_a_shard_that_is_gone_before_it_was_read_is_a_gap_e8():
    gap = await Reading().gap(checkpoint("shardId-gone", after=5))
    assert isinstance(gap, GapError)
    assert gap.shard_id == "shardId-gone"


async def test_a_closed_shard_that_is_trimmed_behind_its_last_record_is_no_gap():
    reading = Reading()
    reading.write("a", "b")
    (parent,) = reading.stream.open_shards
    reading.stream.roll()
    written = reading.write("c")
    await asyncio.sleep(1)
    assert parent.ending is not None
    saved = Checkpoint(parent.shard_id, Position(after=parent.ending))
    readers = await reading.readers(saved)
    error = UnavailableError("later")
    reading.world.plan.fail_next("streams.iterator", error)  # until then it is listed
    async with reading.running(readers) as task:
        await asyncio.sleep(0.03)
        reading.stream.trim(parent.shard_id)
        await asyncio.sleep(3)
        assert not task.done()
        assert await reading.brought() == written


async def test_a_stream_that_does_not_exist_is_a_gap_and_no_endless_retry_e9():
    reading = Reading()
    reading.stream.vanish()
    assert "does not exist" in str(await reading.gap())


async def test_a_stream_that_was_switched_off_is_read_to_its_end_first_e24():
    reading = Reading()
    written = reading.write("a", "b")
    reading.stream.disable()
    gap = await reading.gap()
    assert "switched off" in str(gap)
    assert await reading.brought() == written


async def test_a_stream_that_is_being_switched_on_is_waited_for_e24():
    reading = Reading()
    reading.stream.status = StreamStatus.ENABLING
    (shard,) = reading.stream.open_shards
    shard.listed_at += 5
    readers = await reading.readers()
    async with reading.running(readers) as task:
        await asyncio.sleep(3)
        assert not task.done()
        assert not readers.readers
        await asyncio.sleep(DISCOVER_EVERY_SECONDS)
        assert len(readers.readers) == 1
