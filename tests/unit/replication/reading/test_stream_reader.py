"""All shards of a stream: found, read parents first, and never taken for whole before they are."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.errors import GapError, HaltError, ThrottledError, UnavailableError
from service.events import Retried
from service.model import Page, Position, SequenceNumber, Shard, ShardId, StartAt, StreamStatus
from service.pipeline_state import Checkpoint
from service.replication.change_queue import ChangeQueue
from service.replication.progress.progress import Progress
from service.replication.reading.shard_tree import first_checkpoints
from service.replication.reading.stream_reader import DISCOVER_EVERY_SECONDS, Readers
from service.replication.replicator import first_of
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.workbench import Bench, item


class Reading:
    """Readers of a world's stream, with nobody behind the queue but the test."""

    def __init__(self, world: World | None = None, *, max_records: int = 10_000) -> None:
        self.world = world or World(timing=Timing(late_ends=0.0))
        self.bench = Bench(self.world)
        self.stream = self.world.source.stream
        self.queue = ChangeQueue(max_records, 10**9)
        self.progress = Progress(self.queue.release)
        self._contents = itertools.count()

    async def readers(self, *saved: Checkpoint) -> Readers:
        path = await self.bench.open()
        return Readers(
            streams=self.bench.process.streams,
            stream_arn=self.stream.arn,
            checkpoints={checkpoint.shard_id: checkpoint for checkpoint in saved},
            progress=self.progress,
            queue=self.queue,
            dead_letters=path.dead_letters,
            clock=self.world.clock,
            observer=self.bench.log,
            poll_seconds=0.25,
        )

    @asynccontextmanager
    async def running(self, readers: Readers) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(readers.read())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def gap(self, *saved: Checkpoint, seconds: float = 180) -> HaltError:
        """The gap that reading ends with."""
        readers = await self.readers(*saved)
        try:
            async with asyncio.timeout(seconds):
                await readers.read()
        except BaseExceptionGroup as errors:
            error = first_of(errors)
            assert isinstance(error, HaltError)
            return error
        except GapError as error:
            return error
        raise AssertionError("it read on")

    async def brought(self) -> list[int]:
        """What the readers have handed over so far."""
        if not self.queue.records:
            return []
        found = await self.queue.get()
        self.progress.settle(found)
        return [int(change.sequence) for change in found]

    def write(self, *names: str) -> list[int]:
        return [int(self.world.source.put(item(name, str(next(self._contents)))) or 0) for name in names]


def checkpoint(shard_id: str, *, after: int | None = None, is_closed: bool = False) -> Checkpoint:
    position = Position(after=SequenceNumber(after)) if after else Position()
    return Checkpoint(ShardId(shard_id), position, is_closed=is_closed)


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


class Changes(list):
    """A page's changes, of which can be told whether somebody keeps them."""


async def test_a_reader_that_waits_keeps_no_page():
    reading = Reading()
    reading.write("a", "b")
    readers = await reading.readers()
    pages: list[weakref.ref[Changes]] = []
    read = reading.bench.process.streams.read

    async def watched(*asked):
        page = await read(*asked)
        changes = Changes(page.changes)
        pages.append(weakref.ref(changes))
        return Page(changes, page.unreadable, page.next_iterator, page.size)

    reading.bench.process.streams.read = watched
    async with reading.running(readers):
        await asyncio.sleep(0.2)  # less than the poll interval
        assert len(await reading.brought()) == 2
        assert len(pages) == 1
        assert pages[0]() is None


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


async def test_a_burst_of_shard_ends_asks_for_the_list_at_most_twice_a_second_e2():
    reading = Reading(World(shards=50, timing=Timing(late_ends=0.0)))
    async with reading.running(await reading.readers()):
        await asyncio.sleep(1)
        before = reading.stream.calls["describe"]
        for shard in reading.stream.open_shards:
            reading.stream.roll(shard.shard_id)
            await asyncio.sleep(0.02)
        await asyncio.sleep(9)
        assert reading.stream.calls["describe"] - before <= 21


async def test_a_list_of_many_pages_is_asked_for_less_often_e2():
    """Of 700 shards each listing takes 8 calls: with one each 0.5 s there would be 16 a second, and 10 are allowed."""
    reading = Reading(World(shards=350, timing=Timing(late_ends=0.0)))
    for shard in list(reading.stream.open_shards):
        reading.stream.roll(shard.shard_id)
    readers = await reading.readers()
    async with reading.running(readers):
        await asyncio.sleep(1)
        before = reading.stream.calls["describe"]
        for _ in range(20):
            readers._has_ended.set()  # as a burst of ends does
            await asyncio.sleep(0.5)
        assert len(readers.shards) == 700
        assert (reading.stream.calls["describe"] - before) * 8 <= 10 * 10


async def test_a_quiet_stream_is_listed_once_in_a_while_e2():
    reading = Reading()
    async with reading.running(await reading.readers()):
        await asyncio.sleep(10 * DISCOVER_EVERY_SECONDS)
        assert reading.stream.calls["describe"] <= 11


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


async def test_a_shard_that_is_gone_after_it_was_read_is_forgotten_e8_e23():
    reading = Reading()
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


async def test_throttling_slows_its_own_shard_and_no_other_e10():
    world = World(shards=2, timing=Timing(late_ends=0.0))
    reading = Reading(world)
    first, second = (shard.shard_id for shard in reading.stream.open_shards)
    read = reading.stream.read

    async def throttling(shard_id, iterator, limit):
        if shard_id == first:
            raise ThrottledError("slow down", "LimitExceededException")
        return await read(shard_id, iterator, limit)

    reading.stream.read = throttling
    names = [f"k{number}" for number in range(20)]
    readers = await reading.readers()
    async with reading.running(readers):
        reading.write(*names)
        await asyncio.sleep(30)
        found = set(await reading.brought())
        mine = {int(record.sequence) for record in reading.stream.shards[second].records}
        assert found == mine
    waits = [event for event in reading.bench.log.of(Retried) if event.cause == "LimitExceededException"]
    assert len(waits) < 30  # with backoff; without, it would be hundreds
    assert readers.trouble is None or "slow down" in readers.trouble


async def test_one_failing_listing_does_not_end_the_reading_e22():
    reading = Reading()
    reading.world.plan.fail_next("streams.describe", UnavailableError("500"), times=3)
    written = reading.write("a")
    async with reading.running(await reading.readers()):
        await asyncio.sleep(3)
        assert await reading.brought() == written


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


async def test_a_full_queue_stops_the_reads_e57():
    reading = Reading(max_records=3)
    reading.write(*[f"k{number}" for number in range(20)])
    async with reading.running(await reading.readers()):
        await asyncio.sleep(60)
        assert reading.stream.calls["read"] == 1  # a further page would wait in memory, beyond the bound
        assert reading.queue.records == reading.progress.unsettled == 3


async def test_a_pause_stops_the_reads_and_a_resume_goes_on_exactly_e74():
    reading = Reading()
    readers = await reading.readers()
    async with reading.running(readers):
        first = reading.write("a")
        await asyncio.sleep(2)
        readers.pause()
        await asyncio.sleep(2)
        before = reading.stream.calls["read"]
        second = reading.write("b")
        await asyncio.sleep(3600)  # every iterator expires meanwhile
        assert reading.stream.calls["read"] == before
        readers.resume()
        await asyncio.sleep(3)
        assert await reading.brought() == first + second


async def test_an_unreadable_record_is_stored_before_its_page_counts_as_read_e33_e61():
    reading = Reading()
    sequence = reading.world.source.add_unreadable({"key": {"S": "a"}})
    written = reading.write("b")
    reading.world.plan.fail_next("control.put_dead_letters", UnavailableError("no connection"), times=2)
    async with reading.running(await reading.readers()):
        await asyncio.sleep(3)
        assert await reading.brought() == written
        assert [letter.sequence for letter in reading.bench.letters] == [sequence]


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
