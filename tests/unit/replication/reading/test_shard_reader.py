"""One shard, page by page: nothing twice, nothing left out, and no iterator wasted."""

from __future__ import annotations

import pytest

from service.errors import UnavailableError
from service.model import Position, StartAt
from service.replication.reading.shard_reader import (
    QUIET_AFTER_PAGES,
    QUIET_POLL_SECONDS,
    TIP_PAGES_AT_FIRST,
)
from tests.fakes.clock import EPOCH
from tests.fakes.stream import ITERATOR_SECONDS, Timing
from tests.support.shard_shelf import Shelf, read


async def test_a_last_page_has_its_records_and_no_further_iterator_e3():
    shelf = Shelf()
    written = shelf.write("1", "2")
    shelf.stream.roll()
    await shelf.world.clock.sleep(1)
    page = await shelf.reader().read_once()
    assert page is not None
    assert [int(change.sequence) for change in page.changes] == written
    assert page.next_iterator is None


async def test_an_empty_page_is_neither_the_end_nor_the_tip_e4():
    shelf = Shelf()
    reader = shelf.reader()
    assert TIP_PAGES_AT_FIRST > 1
    for number in range(1, TIP_PAGES_AT_FIRST + 1):
        page = await reader.read_once()
        assert page is not None
        assert page.next_iterator is not None
        assert (reader.tip_seen_at is not None) is (number >= TIP_PAGES_AT_FIRST)
    written = shelf.write("1")
    assert await read(reader) == written
    assert reader.tip_seen_at is None


async def test_an_expired_iterator_is_renewed_after_the_last_record_that_was_read_e5():
    shelf = Shelf()
    first = shelf.write("1", "2")
    reader = shelf.reader()
    assert await read(reader) == first
    await shelf.world.clock.sleep(ITERATOR_SECONDS + 1)
    second = shelf.write("3")
    assert await reader.read_once() is None
    assert await read(reader) == second


async def test_an_expired_iterator_before_anything_was_read_starts_where_the_shard_started_e6():
    shelf = Shelf()
    reader = shelf.reader()
    assert await read(reader) == []
    await shelf.world.clock.sleep(ITERATOR_SECONDS + 1)
    written = shelf.write("1")
    assert await read(reader, pages=2) == written


async def test_after_a_start_at_the_tip_an_expired_iterator_does_not_ask_for_the_tip_again_e6():
    shelf = Shelf()
    await shelf.world.clock.sleep(10_000)
    shelf.write("old")
    await shelf.world.clock.sleep(1000)
    reader = shelf.reader(Position(start=StartAt.LATEST, since=shelf.world.clock.now()))
    await reader.start_at_tip()
    assert await read(reader) == []
    written = shelf.write("1")
    await shelf.world.clock.sleep(ITERATOR_SECONDS + 1)
    written += shelf.write("2")
    assert await read(reader, pages=2) == written  # neither the old record, nor a gap


async def test_a_restart_of_a_start_at_the_tip_reads_what_came_meanwhile_e6():
    shelf = Shelf()
    position = Position(start=StartAt.LATEST, since=shelf.world.clock.now())
    written = shelf.write("1")
    assert await read(shelf.reader(position)) == written


async def test_iterators_are_chained_and_asked_for_once_e13():
    shelf = Shelf()
    reader = shelf.reader()
    for number in range(30):
        shelf.write(str(number))
        await reader.read_once()
    assert shelf.stream.calls["iterator"] == 1


async def test_a_failed_read_is_made_again_with_the_same_iterator_e14():
    shelf = Shelf()
    written = shelf.write("1")
    reader = shelf.reader()
    shelf.world.plan.fail_next("streams.read", UnavailableError("500", "InternalServerError"), times=2)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await reader.read_once()
    assert await read(reader) == written
    assert shelf.stream.calls["iterator"] == 1


async def test_a_position_is_read_from_behind_it():
    shelf = Shelf()
    first, second, third = shelf.write("1", "2", "3")
    after = shelf.stream.open_shards[0].records[0].sequence
    assert int(after) == first
    assert await read(shelf.reader(Position(after=after))) == [second, third]


async def test_a_limit_is_kept_within_what_the_service_takes_e12():
    shelf = Shelf()
    shelf.write(*[str(number) for number in range(5)])
    assert len(await read(shelf.reader(limit=100_000))) == 5
    assert len(await read(shelf.reader(limit=2))) == 2


async def test_a_quiet_shard_is_asked_about_once_a_second_and_a_busy_one_at_once_e79():
    shelf = Shelf()
    reader = shelf.reader()
    await read(reader, pages=TIP_PAGES_AT_FIRST)
    assert reader.wait_seconds == 0.25
    await read(reader, pages=QUIET_AFTER_PAGES + 40)
    assert reader.wait_seconds == QUIET_POLL_SECONDS
    shelf.write(*[str(number) for number in range(200)])
    await read(reader)
    assert reader.wait_seconds == 0.0
    shelf.write("few")
    await read(reader)
    assert 0.0 < reader.wait_seconds <= 0.25


async def test_what_was_read_is_known_up_to_the_tip_or_to_the_last_record():
    shelf = Shelf()
    reader = shelf.reader()
    assert reader.surely_read_up_to == 0.0
    assert reader.read_up_to == reader.started_at
    await shelf.world.clock.sleep(50)
    shelf.write("1")
    await shelf.world.clock.sleep(50)
    await read(reader)
    assert reader.read_up_to == EPOCH + 50
    await read(reader, pages=TIP_PAGES_AT_FIRST)
    assert reader.read_up_to == EPOCH + 100


async def test_a_closed_shard_that_gives_a_next_iterator_is_never_at_its_tip():
    shelf = Shelf(Timing(empty_pages=1.0))
    shelf.write("1")
    reader = shelf.reader()
    await read(reader, pages=TIP_PAGES_AT_FIRST)
    assert reader.tip_seen_at is not None
    reader.note_closed()
    await read(reader, pages=50)
    assert reader.tip_seen_at is None


async def test_nothing_is_filtered_out_of_an_iterator_that_is_truly_at_the_tip():
    shelf = Shelf()
    reader = shelf.reader(Position(start=StartAt.LATEST, since=EPOCH + 3600))
    await reader.start_at_tip()
    written = shelf.write("1")
    assert await read(reader) == written
