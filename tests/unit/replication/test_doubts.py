"""Keys in doubt: which are remembered, when they are looked at, and when they are let go."""

from __future__ import annotations

from service.model import Delete, Put
from service.pipeline_state import KeysInDoubt
from service.replication import doubts as module
from service.replication.doubts import DOUBT_SECONDS, MAX_SAVED_KEYS, Doubts
from tests.fakes.clock import EPOCH, FakeClock, run_virtual
from tests.support.workbench import change, image, key


def played(scenario):
    """In virtual time."""

    def test():
        run_virtual(scenario)

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test


async def looks_of(doubts: Doubts, clock: FakeClock) -> list[float]:
    """After how many seconds the one key is looked at, until it is let go."""
    began, looks = clock.monotonic(), []
    while doubts:
        for each in doubts.due():
            looks.append(round(clock.monotonic() - began))
            doubts.looked_at(each, clock.monotonic())
        await clock.sleep(0.5)
    return looks


@played
async def test_a_key_is_looked_at_soon_then_every_ten_seconds_and_is_let_go_after_half_a_minute():
    clock = FakeClock()
    doubts = Doubts(clock)
    doubts.note([key("a")])
    assert await looks_of(doubts, clock) == [1, 5, 10, 20, 30]


@played
async def test_a_doubt_lasts_longer_than_the_lease():
    clock = FakeClock()
    doubts = Doubts(clock, lease_seconds=100)
    doubts.note([key("a")])
    assert (await looks_of(doubts, clock))[-1] == 150


@played
async def test_a_further_lost_answer_begins_its_time_anew_but_puts_no_look_off():
    clock = FakeClock()
    doubts = Doubts(clock)
    doubts.note([key("a")])
    await clock.sleep(0.9)
    doubts.note([key("a")])
    await clock.sleep(0.2)
    assert doubts.due() == [key("a")]
    await clock.sleep(DOUBT_SECONDS - 1)
    doubts.looked_at(key("a"), clock.monotonic())
    assert key("a") in doubts


@played
async def test_a_look_that_was_asked_for_too_early_ends_no_doubt():
    clock = FakeClock()
    doubts = Doubts(clock)
    doubts.note([key("a")])
    asked_at = clock.monotonic() + DOUBT_SECONDS - 0.1
    await clock.sleep(DOUBT_SECONDS + 5)
    doubts.looked_at(key("a"), asked_at)
    assert key("a") in doubts


def test_what_was_settled_last_is_remembered_for_keys_in_doubt_alone():
    doubts = Doubts(FakeClock())
    doubts.note([key("a"), key("b")])
    doubts.settled(change("a", 5), Put(key("a"), image("a", "1")))
    doubts.settled(change("b", 6, None), Delete(key("b")))
    doubts.settled(change("c", 7), Put(key("c"), image("c", "1")))
    first, second = doubts.get(key("a")), doubts.get(key("b"))
    assert first is not None
    assert second is not None
    assert (first.sequence, first.image, first.is_deleted) == (5, image("a", "1"), False)
    assert (second.sequence, second.image, second.is_deleted) == (6, None, True)
    assert key("c") not in doubts


def test_the_images_that_are_kept_are_bounded():
    doubts = Doubts(FakeClock())
    names = [f"k{number}" for number in range(40)]
    doubts.note([key(name) for name in names])
    large = image("a", "x" * 1024 * 1024)
    for number, name in enumerate(names):
        doubts.settled(change(name, number + 1), Put(key(name), large))
    kept = sum(found.image is not None for name in names if (found := doubts.get(key(name))))
    assert kept == module.MAX_IMAGE_BYTES // len(large)


@played
async def test_beyond_the_bound_the_oldest_are_looked_at_once_more_and_let_go():
    clock = FakeClock()
    doubts = Doubts(clock)
    keys = [key(f"k{number}") for number in range(module.MAX_KEYS + 3)]
    doubts.note(keys)
    due = doubts.due()
    assert due == keys[:3]
    for each in due:
        doubts.looked_at(each, clock.monotonic())
    assert len(doubts) == module.MAX_KEYS


@played
async def test_a_successor_looks_at_what_a_former_process_left_in_doubt_even_if_its_time_is_over():
    clock = FakeClock()
    first = Doubts(clock)
    first.note([key("a")])
    saved = first.saved()
    assert saved is not None
    assert saved.keys == (key("a"),)
    await clock.sleep(3600)
    second = Doubts(clock)
    second.restore(saved)
    assert second.due() == [key("a")]
    second.looked_at(key("a"), clock.monotonic())
    assert not second


def test_of_very_many_keys_the_newest_outlive_a_crash_and_the_number_of_the_others():
    doubts = Doubts(FakeClock())
    keys = [key(f"k{number}") for number in range(MAX_SAVED_KEYS + 10)]
    doubts.note(keys)
    saved = doubts.saved()
    assert saved is not None
    assert set(saved.keys) == set(keys[10:])
    assert saved.left_out == 10


def test_without_a_key_in_doubt_nothing_is_saved():
    assert Doubts(FakeClock()).saved() is None


@played
async def test_after_a_crash_a_change_that_is_applied_again_leaves_its_key_in_doubt_for_a_while():
    clock = FakeClock()
    doubts = Doubts(clock)
    doubts.after_crash(EPOCH + 5)
    doubts.note_repeated(change("a", 1, created_at=EPOCH))
    doubts.note_repeated(change("b", 2, created_at=EPOCH + 6))
    assert key("a") in doubts
    assert key("b") not in doubts
    await clock.sleep(DOUBT_SECONDS + 10)
    doubts.note_repeated(change("c", 3, created_at=EPOCH))
    assert key("c") not in doubts


def test_a_successor_does_not_look_for_longer_than_a_doubt_lasts_whatever_was_saved():
    clock = FakeClock()
    doubts = Doubts(clock)
    doubts.restore(KeysInDoubt((key("a"),), until=EPOCH + 10**9))
    found = doubts.get(key("a"))
    assert found is not None
    assert found.until <= clock.monotonic() + DOUBT_SECONDS
