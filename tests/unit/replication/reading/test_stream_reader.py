"""All shards of a stream: how often they are listed and read, and what one that fails or waits does to the others."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from service.errors import ThrottledError, UnavailableError
from service.events import Retried
from service.model import Page
from service.replication.reading.stream_reader import DISCOVER_EVERY_SECONDS
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.reading_alone import Reading


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


async def test_a_full_queue_stops_the_reads_e57():
    reading = Reading(max_records=3)
    reading.write(*[f"k{number}" for number in range(20)])
    async with reading.running(await reading.readers()):
        await asyncio.sleep(60)
        assert reading.stream.calls["read"] == 1  # a further page would wait in memory, beyond the bound
        assert reading.queue.records == reading.progress.unsettled == 3


@pytest.mark.parametrize(
    ("max_bytes", "pages"), [(64 * 1024 * 1024, 8), (4 * 1024 * 1024, 4), (1024 * 1024, 2), (1, 2)]
)
async def test_the_less_the_queue_may_hold_the_fewer_pages_are_asked_for_at_once_e57(max_bytes, pages):
    """One among fifty pipelines has a fiftieth of the queue, and so its pages in hand have to be few as well."""
    reading = Reading(World(shards=20), max_bytes=max_bytes)
    asked: list[object] = []

    async def hanging(*page):
        asked.append(page)
        await asyncio.Event().wait()

    reading.bench.process.streams.read = hanging
    async with reading.running(await reading.readers()):
        await asyncio.sleep(1)
        assert len(asked) == pages


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
