"""Guarded writes: what may have been applied before never takes the replica back (I3)."""

from __future__ import annotations

import pytest

from service.model import Delete
from service.replication.guard_window import MAX_MATCHES, GuardWindow
from service.replication.writing.guard import Outcome
from service.replication.writing.scan_barrier import ScanBarrier
from tests.fakes.clock import EPOCH
from tests.support.workbench import Bench, change, item, key


async def guarded(**settings: str):
    bench = Bench(window=GuardWindow(guards_all=False, until=EPOCH + 1000), **settings)
    return bench, (await bench.open()).guard


async def put(guard, found) -> Outcome:
    assert found.image is not None
    return await guard.put(found, found.image, found.image)


async def test_a_newer_change_is_written_and_an_older_one_is_stale_e41():
    bench, guard = await guarded()
    first, second = bench.put("a", "1"), bench.put("a", "2")
    assert await put(guard, second) is Outcome.WRITTEN
    assert await put(guard, first) is Outcome.STALE
    assert bench.held("a") == item("a", "2")
    third = bench.put("a", "3")
    assert await put(guard, third) is Outcome.WRITTEN


async def test_the_same_change_again_is_unchanged_and_costs_no_write():
    bench, guard = await guarded()
    only = bench.put("a", "1")
    await put(guard, only)
    assert await put(guard, only) is Outcome.UNCHANGED
    assert bench.world.replica.writes[key("a")] == 1


async def test_an_item_damaged_under_its_own_number_is_mended():
    bench, guard = await guarded()
    only = bench.put("a", "1")
    await put(guard, only)
    bench.world.replica.preset(item("a", "damaged", dynamirror_sequence={"S": only.sequence.guard}))
    assert await put(guard, only) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")


async def test_a_put_older_than_an_applied_delete_does_not_bring_the_item_back_e42():
    bench, guard = await guarded()
    old = bench.put("a", "1")
    assert await put(guard, old) is Outcome.WRITTEN
    assert await guard.delete(bench.delete("a")) is Outcome.DELETED
    assert await put(guard, old) is Outcome.STALE
    assert bench.held("a") is None


async def test_a_put_older_than_an_applied_delete_stays_away_although_the_key_was_born_again_e42():
    bench, guard = await guarded()
    old = bench.put("a", "1")
    await put(guard, old)
    await guard.delete(bench.delete("a"))
    bench.put("a", "2")
    assert await put(guard, old) is Outcome.STALE
    assert bench.held("a") is None


async def test_a_change_onto_an_item_without_a_number_is_judged_by_the_source():
    bench, guard = await guarded()
    old, newest = bench.put("a", "1"), bench.put("a", "2")
    bench.world.replica.preset(item("a", "2"))  # a snapshot's
    assert await put(guard, old) is Outcome.STALE
    assert bench.held("a") == item("a", "2")
    assert await put(guard, newest) is Outcome.WRITTEN  # now it carries its number
    assert bench.number("a") == newest.sequence.guard


async def test_a_delete_of_an_item_without_a_number_waits_for_the_source_to_agree_e66():
    bench, guard = await guarded()
    bench.put("a", "1")
    gone = bench.delete("a")
    bench.put("a", "2")
    bench.world.replica.preset(item("a", "2"))
    assert await guard.delete(gone) is Outcome.STALE
    assert bench.held("a") == item("a", "2")
    bench.world.source.delete({"key": {"S": "a"}})
    assert await guard.delete(bench.newest()) is Outcome.DELETED


async def test_a_delete_of_what_is_not_there_changes_nothing_e49():
    bench, guard = await guarded()
    bench.put("a", "1")
    assert await guard.delete(bench.delete("a")) is Outcome.UNCHANGED
    assert bench.world.replica.writes[key("a")] == 0


async def test_a_delete_older_than_the_item_is_stale_e41():
    bench, guard = await guarded()
    bench.put("a", "1")
    gone, born = bench.delete("a"), bench.put("a", "2")
    await put(guard, born)
    assert await guard.delete(gone) is Outcome.STALE


async def test_a_content_that_comes_twice_does_not_let_the_changes_between_pass():
    """A, B, A again: the source holds A, so the first record may write it, but its number is too low for it."""
    bench, guard = await guarded()
    first, between, last = bench.put("a", "A"), bench.put("a", "B"), bench.put("a", "A")
    assert await put(guard, first) is Outcome.WRITTEN
    assert await put(guard, between) is Outcome.STALE
    assert bench.held("a") == item("a", "A")
    assert await put(guard, last) is Outcome.WRITTEN, "it puts the number right, and nothing else"
    assert bench.number("a") == last.sequence.guard
    assert bench.held("a") == item("a", "A")
    assert not any(b'"B"' in (state.image or b"") for state in bench.world.replica.history[key("a")])


async def test_a_content_that_comes_twice_is_not_deleted_between():
    bench, guard = await guarded()
    first, gone = bench.put("a", "A"), bench.delete("a")
    bench.put("a", "A")
    assert await put(guard, first) is Outcome.WRITTEN
    assert await guard.delete(gone) is Outcome.STALE
    assert bench.held("a") == item("a", "A")


async def test_a_successor_of_a_process_that_died_in_its_window_trusts_no_number():
    window = GuardWindow(guards_all=False, until=EPOCH + 1000, distrusted_until=EPOCH + 1000)
    bench = Bench(window=window)
    guard = (await bench.open()).guard
    first, between = bench.put("a", "A"), bench.put("a", "B")
    bench.put("a", "A")
    # the former process wrote A under the first record's number, because the source holds it
    bench.world.replica.preset(item("a", "A", dynamirror_sequence={"S": first.sequence.guard}))
    assert await put(guard, between) is Outcome.STALE
    assert bench.held("a") == item("a", "A")


async def test_without_a_sequence_attribute_the_source_decides_on_everything():
    bench, guard = await guarded(sequence_attribute="")
    old, newest = bench.put("a", "1"), bench.put("a", "2")
    assert await put(guard, newest) is Outcome.WRITTEN
    assert await put(guard, old) is Outcome.STALE
    assert await put(guard, newest) is Outcome.UNCHANGED
    assert bench.held("a") == item("a", "2")


async def test_an_item_that_changes_while_it_is_judged_is_looked_at_again():
    bench, guard = await guarded()
    newest = bench.put("a", "1")
    replica = bench.world.replica
    reads: list[int] = []
    get = bench.world.source.get

    async def changing(found):
        if not reads:
            replica.preset(item("a", "by a hand"))
        reads.append(1)
        return await get(found)

    bench.world.source.get = changing
    assert await put(guard, newest) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")
    assert len(reads) == 2


async def test_a_refresh_brings_what_the_source_holds_whatever_that_is():
    bench, guard = await guarded()
    bench.world.source.preset(item("a", "1"))
    assert await guard.refresh(key("a")) is Outcome.WRITTEN
    assert await guard.refresh(key("a")) is Outcome.UNCHANGED
    bench.world.source.items.clear()
    assert await guard.refresh(key("a")) is Outcome.DELETED
    assert await guard.refresh(key("a")) is Outcome.UNCHANGED
    assert await bench.world.replica.delete(Delete(key("a")), None)


@pytest.mark.parametrize(
    ("window", "is_guarded"),
    [
        (GuardWindow(guards_all=True), True),
        (GuardWindow(guards_all=False), False),
        (GuardWindow(guards_all=False, until=EPOCH + 1), True),
        (GuardWindow(guards_all=False, until=EPOCH), False),
    ],
)
def test_what_was_created_before_the_windows_end_is_guarded(window, is_guarded):
    assert window.needs_guard(change("a", 1)) is is_guarded


def test_while_the_window_is_held_everything_is_guarded_and_a_while_after():
    window = GuardWindow(guards_all=False)
    window.hold()
    window.hold()
    window.release(EPOCH)
    assert window.needs_guard(change("a", 1, created_at=EPOCH + 5000))
    window.release(EPOCH)
    assert window.needs_guard(change("a", 1, created_at=EPOCH + 59))
    assert not window.needs_guard(change("a", 1, created_at=EPOCH + 61))


def test_a_matchs_key_is_judged_by_the_source_until_all_that_was_made_before_the_look_is_settled():
    window = GuardWindow(guards_all=False, until=EPOCH + 10)
    found, later = change("a", 1), change("a", 2, created_at=EPOCH + 300)
    assert not window.distrusts(found)
    assert window.remember_source_write(found, EPOCH + 500)
    assert window.distrusts(later)
    assert window.needs_guard(later), "it was made after the window, and before the look at the source"
    assert not window.needs_guard(change("b", 2, created_at=EPOCH + 300))
    window.forget_matches(EPOCH + 560)
    assert window.needs_guard(later)
    window.forget_matches(EPOCH + 561)
    assert not window.needs_guard(later)
    assert not window.distrusts(found)


def test_matches_are_bounded_and_more_are_written_without_a_number():
    window = GuardWindow(guards_all=False, until=EPOCH + 10)
    for number in range(MAX_MATCHES):
        assert window.remember_source_write(change(str(number), 1), EPOCH)
    assert not window.remember_source_write(change("one more", 1), EPOCH + 500)
    assert window.needs_guard(change("one more", 1, created_at=EPOCH + 500)), "with all others"
    assert window.remember_source_write(change("0", 1), EPOCH)


def test_keys_are_remembered_only_while_a_page_is_on_its_way():
    brought = ScanBarrier()
    brought.note(key("early"))
    page = brought.open_page()
    assert not brought.has_brought(key("early"), page)
    brought.note(key("a"))
    assert brought.has_brought(key("a"), page)
    later = brought.open_page()
    assert not brought.has_brought(key("a"), later)
    brought.close_page(page)
    brought.close_page(later)
    assert not brought._last


def foreign(name: str, value: str) -> dict:
    """An item whose number another stream gave: higher than any of this one."""
    return item(name, value, dynamirror_sequence={"S": "9" * 40})


async def test_a_number_of_another_stream_does_not_make_a_change_stale_that_the_source_confirms():
    bench, guard = await guarded()
    bench.world.replica.preset(foreign("a", "0"))
    only = bench.put("a", "1")
    assert await put(guard, only) is Outcome.WRITTEN
    assert bench.held("a") == item("a", "1")
    assert bench.number("a") == only.sequence.guard


async def test_a_delete_is_made_good_whatever_number_the_item_carries_once_the_source_has_nothing():
    bench, guard = await guarded()
    bench.put("a", "1")
    gone = bench.delete("a")
    bench.world.replica.preset(foreign("a", "0"))
    assert await guard.delete(gone) is Outcome.DELETED
    assert bench.held("a") is None


async def test_a_higher_number_still_counts_where_the_source_is_further_on():
    bench, guard = await guarded()
    first = bench.put("a", "1")
    bench.put("a", "2")
    bench.world.replica.preset(foreign("a", "2"))
    assert await put(guard, first) is Outcome.STALE
    assert bench.world.replica.writes[key("a")] == 0


async def test_after_a_confirmed_write_the_changes_between_do_not_take_a_content_back_that_came_twice():
    bench, guard = await guarded()
    bench.world.replica.preset(foreign("a", "0"))
    first, between = bench.put("a", "1"), bench.put("a", "2")
    last = bench.put("a", "1")
    assert await put(guard, first) is Outcome.WRITTEN
    assert await put(guard, between) is Outcome.STALE
    assert await put(guard, last) in (Outcome.WRITTEN, Outcome.UNCHANGED)
    assert bench.held("a") == item("a", "1")
