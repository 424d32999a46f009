"""A position whose record is trimmed: a loss, or not, by what is known of the time since."""

from __future__ import annotations

import pytest

from service.errors import TrimmedError
from service.model import Position, SequenceNumber, StartAt
from service.replication.reading.shard_reader import (
    TIP_PAGES_AT_FIRST,
    ShardReader,
)
from tests.fakes.clock import EPOCH
from tests.support.shard_shelf import Shelf, read


async def test_a_trimmed_position_is_told_and_not_skipped_e7():
    shelf = Shelf()
    shelf.write("1", "2", "3")
    records = shelf.stream.open_shards[0].records
    reader = shelf.reader(Position(after=records[0].sequence))
    shelf.stream.trim(shelf.shard.shard_id, records[1].sequence)
    with pytest.raises(TrimmedError):
        await reader.read_once()


class TrimsFreshIterators:
    """As DynamoDB Local: an iterator of an empty stream is called trimmed once the first record is there."""

    def __init__(self, stream, times):
        self._stream = stream
        self._left = times

    async def iterator(self, shard_id, position):
        return await self._stream.iterator(shard_id, position)

    async def read(self, shard_id, iterator, limit):
        if self._left:
            self._left -= 1
            raise TrimmedError("trimmed")
        return await self._stream.read(shard_id, iterator, limit)


@pytest.mark.parametrize("start", list(StartAt))
@pytest.mark.parametrize(("times", "is_gap"), [(1, False), (3, False), (4, True)])
async def test_a_fresh_start_that_is_called_trimmed_is_asked_for_again_some_times(start, times, is_gap):
    shelf = Shelf()
    position = Position(start=start, since=EPOCH)
    reader = ShardReader(
        shelf.shard, position, TrimsFreshIterators(shelf.stream, times), shelf.world.clock, poll_seconds=0.25, limit=10
    )
    (first,) = shelf.write("1")
    if is_gap:
        with pytest.raises(TrimmedError):
            await read(reader, pages=times + 1)
    else:
        assert await read(reader, pages=times + 1) == [first]


@pytest.mark.parametrize(("hours", "is_gap"), [(2, False), (23.5, False), (23.99, True), (25, True)])
async def test_a_position_without_a_number_is_as_good_as_the_time_since_it_was_known_to_be_read_up_to(hours, is_gap):
    shelf = Shelf()
    await shelf.world.clock.sleep(hours * 3600)
    reader = shelf.reader(Position(start=StartAt.LATEST, since=EPOCH))
    if is_gap:
        with pytest.raises(TrimmedError, match="hours"):
            await read(reader)
    else:
        assert await read(reader) == []


@pytest.mark.parametrize(("hours", "is_gap"), [(2, False), (25, True)])
async def test_a_long_pause_of_a_shard_that_brought_nothing_is_a_gap_and_a_short_one_is_not(hours, is_gap):
    shelf = Shelf()
    reader = shelf.reader()
    await read(reader, pages=TIP_PAGES_AT_FIRST)
    await shelf.world.clock.sleep(hours * 3600)
    if is_gap:
        with pytest.raises(TrimmedError):
            await read(reader, pages=2)
    else:
        assert await read(reader, pages=2) == []


async def test_a_last_record_that_was_trimmed_after_a_long_silence_is_no_loss_if_the_shard_was_read_since():
    shelf = Shelf()
    (first,) = shelf.write("1")
    await shelf.world.clock.sleep(30 * 3600)
    up_to = shelf.world.clock.now()
    (second,) = shelf.write("2")
    shelf.stream.trim(shelf.shard.shard_id, SequenceNumber(first + 1))
    await shelf.world.clock.sleep(2 * 3600)
    position = Position(after=SequenceNumber(first), since=up_to - 30 * 3600)
    old = shelf.reader(position)
    with pytest.raises(TrimmedError):
        await read(old)
    reader = ShardReader(
        shelf.shard,
        position,
        shelf.process.streams,
        shelf.world.clock,
        poll_seconds=0.25,
        limit=10,
        surely_up_to=up_to,
    )
    assert await read(reader, pages=2) == [second]


async def test_a_position_that_is_called_trimmed_although_its_record_is_young_is_a_loss():
    shelf = Shelf()
    (first,) = shelf.write("1")
    up_to = shelf.world.clock.now()
    shelf.write("2")
    shelf.stream.trim(shelf.shard.shard_id)
    for since in (up_to, 0.0):
        reader = ShardReader(
            shelf.shard,
            Position(after=SequenceNumber(first), since=since),
            shelf.process.streams,
            shelf.world.clock,
            poll_seconds=0.25,
            limit=10,
            surely_up_to=up_to,
        )
        with pytest.raises(TrimmedError):
            await read(reader)
