"""What real streams do and no emulator shows: lineages of shards, lateness, trimming, expiry."""

from __future__ import annotations

import pytest

from service.errors import IteratorExpiredError, PositionError, ShardGoneError, TrimmedError
from service.model import Effect, Position, SequenceNumber, StartAt, StreamStatus, ViewType
from tests.fakes.clock import FakeClock
from tests.fakes.shards import SequenceNumbers
from tests.fakes.source import FakeSource
from tests.fakes.stream import Timing

FROM_START = Position()


def item(key, value=0):
    return {"key": {"S": key}, "value": {"N": str(value)}}


async def drain(stream, shard_id, position=FROM_START, limit=1000):
    """All changes up to the end or the tip, and whether it was the end."""
    changes, iterator, empty_pages = [], await stream.iterator(shard_id, position), 0
    while iterator is not None and empty_pages < 20:
        page = await stream.read(shard_id, iterator, limit)
        empty_pages = 0 if page.changes else empty_pages + 1
        changes += page.changes
        iterator = page.next_iterator
    return changes, iterator is None


def source_with(**options):
    return FakeSource(FakeClock(), **options)


def only_shard(source):
    return only_shard_of(source.stream)


def only_shard_of(stream):
    return next(iter(stream.shards))


async def test_a_write_that_changes_nothing_leaves_no_record():
    source = source_with()

    assert source.put({"key": {"S": "a"}, "n": {"N": "1"}}) is not None
    assert source.put({"key": {"S": "a"}, "n": {"N": "1.0"}}) is None
    assert source.delete({"key": {"S": "b"}}) is None

    changes, _ = await drain(source.stream, only_shard(source))
    assert len(changes) == 1


def test_sequence_numbers_get_longer_and_stay_within_forty_digits():
    for seed in range(20):
        numbers = SequenceNumbers(seed)
        drawn = [numbers.next() for _ in range(3000)]
        assert drawn == sorted(set(drawn))
        assert max(len(str(number)) for number in drawn) <= 40
        assert [number.guard for number in drawn] == sorted(number.guard for number in drawn)
        assert [str(number) for number in drawn] != sorted(str(number) for number in drawn)


@pytest.mark.parametrize("late_ends", [0.0, 1.0])
async def test_the_end_of_a_shard_comes_with_its_last_records_or_after_them(late_ends):
    source = source_with(timing=Timing(late_ends=late_ends))
    shard_id = only_shard(source)
    source.put(item("a"))
    source.stream.roll()

    page = await source.stream.read(shard_id, await source.stream.iterator(shard_id, FROM_START), 10)

    assert len(page.changes) == 1
    assert (page.next_iterator is None) == (late_ends == 0.0)


async def test_two_children_share_their_parents_keys():
    source = source_with()
    parent = only_shard(source)
    children = source.stream.split()
    for number in range(50):
        source.put(item(f"key{number}"))

    described = {shard.shard_id: shard for shard in (await source.stream.describe()).shards}
    found = [change for child in children for change in (await drain(source.stream, child))[0]]

    assert not described[parent].is_open
    assert {described[child].parent_id for child in children} == {parent}
    assert len({change.key for change in found}) == 50
    assert {change.shard_id for change in found} == set(children)


async def test_a_child_may_be_listed_late_and_its_parent_shown_open_for_long():
    source = source_with(timing=Timing(child_delay=(5, 5), ending_delay=(9, 9)))
    parent = only_shard(source)
    child = source.stream.roll()

    at_once = {shard.shard_id: shard.is_open for shard in (await source.stream.describe()).shards}
    await source.clock.sleep(6)
    later = {shard.shard_id: shard.is_open for shard in (await source.stream.describe()).shards}
    await source.clock.sleep(4)
    at_last = {shard.shard_id: shard.is_open for shard in (await source.stream.describe()).shards}

    assert at_once == {parent: True}
    assert later == {parent: True, child: True}
    assert at_last == {parent: False, child: True}
    assert (await drain(source.stream, parent))[1]


async def test_a_record_is_seen_after_its_delay_and_never_before_an_older_one():
    source = source_with(timing=Timing(record_delay=(0, 30)), seed=5)
    for number in range(30):
        source.put(item("a", number))
    shard_id = only_shard(source)
    seen: list[int] = []

    for _ in range(40):
        seen.append(len((await drain(source.stream, shard_id))[0]))
        await source.clock.sleep(1)

    assert seen == sorted(seen)
    assert seen[0] < seen[-1] == 30


async def test_a_closed_shard_does_not_end_before_its_last_record_is_seen():
    source = source_with(timing=Timing(record_delay=(10, 10)))
    shard_id = only_shard(source)
    source.put(item("a"))
    source.stream.roll()

    assert await drain(source.stream, shard_id) == ([], False)
    await source.clock.sleep(10)
    changes, is_end = await drain(source.stream, shard_id)

    assert (len(changes), is_end) == (1, True)


async def test_pages_may_be_empty_or_short_while_there_is_more():
    source = source_with(timing=Timing(empty_pages=0.5, cut_pages=0.5), seed=1)
    for number in range(100):
        source.put(item("a", number))
    shard_id = only_shard(source)
    iterator = await source.stream.iterator(shard_id, FROM_START)
    lengths: list[int] = []

    while sum(lengths) < 100:
        page = await source.stream.read(shard_id, iterator, 40)
        lengths.append(len(page.changes))
        iterator = page.next_iterator

    assert 0 in lengths
    assert len(set(lengths)) > 2


async def test_an_iterator_expires_after_fifteen_minutes_and_is_good_until_then():
    source = source_with()
    shard_id = only_shard(source)
    source.put(item("a"))
    iterator = await source.stream.iterator(shard_id, FROM_START)

    await source.clock.sleep(15 * 60 - 1)
    assert len((await source.stream.read(shard_id, iterator, 1)).changes) == 1
    assert len((await source.stream.read(shard_id, iterator, 1)).changes) == 1
    await source.clock.sleep(2)

    with pytest.raises(IteratorExpiredError):
        await source.stream.read(shard_id, iterator, 1)


async def test_latest_is_where_the_shard_stood_when_the_iterator_was_asked_for():
    source = source_with()
    shard_id = only_shard(source)
    source.put(item("a", 1))

    iterator = await source.stream.iterator(shard_id, Position(start=StartAt.LATEST))
    newer = source.put(item("a", 2))

    page = await source.stream.read(shard_id, iterator, 10)
    assert [change.sequence for change in page.changes] == [newer]


async def test_what_is_trimmed_is_an_error_from_the_iterator_and_from_the_read():
    source = source_with()
    shard_id = only_shard(source)
    first, second, third = (source.put(item("a", number)) for number in range(3))
    iterator = await source.stream.iterator(shard_id, FROM_START)
    source.stream.trim(shard_id, second)

    with pytest.raises(TrimmedError):
        await source.stream.iterator(shard_id, Position(after=first))
    with pytest.raises(TrimmedError):
        await source.stream.read(shard_id, iterator, 10)
    assert [change.sequence for change in (await drain(source.stream, shard_id))[0]] == [third]
    assert (await drain(source.stream, shard_id, Position(after=second)))[0][0].sequence == third


async def test_a_shard_that_is_trimmed_whole_vanishes():
    source = source_with()
    parent = only_shard(source)
    source.put(item("a"))
    child = source.stream.roll()
    source.put(item("b"))
    source.stream.trim(parent)

    shards = (await source.stream.describe()).shards
    assert [(shard.shard_id, shard.parent_id) for shard in shards] == [(child, parent)]
    with pytest.raises(ShardGoneError):
        await source.stream.iterator(parent, FROM_START)


async def test_trimming_by_age_leaves_what_is_young():
    source = source_with()
    parent = only_shard(source)
    source.put(item("a"))
    child = source.stream.roll()
    source.put(item("b", 1))
    await source.clock.sleep(86_400)
    young = source.put(item("b", 2))
    source.stream.trim_older_than(3600)

    assert parent not in source.stream.shards
    assert [change.sequence for change in (await drain(source.stream, child))[0]] == [young]


async def test_a_number_from_elsewhere_is_no_position():
    source = source_with(first_sequence=10**25)
    shard_id = only_shard(source)

    with pytest.raises(PositionError):
        await source.stream.iterator(shard_id, Position(after=SequenceNumber(7)))


async def test_a_stream_that_is_made_again_has_another_name_and_no_history():
    source = source_with()
    old = source.stream
    source.put(item("a"))
    new = source.recreate_stream(ViewType.KEYS_ONLY)
    source.put(item("b"))

    assert old.arn != new.arn == (await source.describe()).stream_arn
    assert (await old.describe()).status is StreamStatus.DISABLED
    old_changes, is_end = await drain(old, only_shard_of(old))
    assert (len(old_changes), is_end) == (1, True)
    assert [change.effect for change in (await drain(new, only_shard_of(new)))[0]] == [Effect.LOOK_UP]


async def test_a_stream_that_vanished_is_gone_for_every_call():
    source = source_with()
    shard_id = only_shard(source)
    source.stream.vanish()

    with pytest.raises(ShardGoneError):
        await source.stream.describe()
    with pytest.raises(ShardGoneError):
        await source.stream.iterator(shard_id, FROM_START)


async def test_records_that_nobody_understands_come_beside_the_others():
    source = source_with(timing=Timing(late_ends=0.0))
    shard_id = only_shard(source)
    source.put(item("a"))
    number = source.add_unreadable({"key": {"S": "b"}})
    source.put(item("c"))

    page = await source.stream.read(shard_id, await source.stream.iterator(shard_id, FROM_START), 10)

    assert len(page.changes) == 2
    assert [unreadable.sequence for unreadable in page.unreadable] == [number]


async def test_a_delete_by_time_to_live_is_marked():
    source = source_with()
    source.put(item("a"))
    source.delete({"key": {"S": "a"}}, is_ttl=True)

    changes, _ = await drain(source.stream, only_shard(source))

    assert [change.is_ttl_delete for change in changes] == [False, True]
