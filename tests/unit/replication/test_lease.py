"""The right to write: taken once it is free, kept by renewing, trusted for less time than it lasts."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import AmbiguousError, LeaseLostError, UnavailableError
from service.replication.lease import LOOK_WHEN_ASKED_SECONDS, LOOKS_PER_LEASE, RESERVED_SECONDS, LeaseHolder
from tests.fakes.clock import FakeClock, settle
from tests.fakes.control_store import FakeControlStore
from tests.fakes.control_table import FakeControlTable
from tests.support.workbench import Log

LEASE = 10.0


class Rivals:
    """Holders of one pipeline's lease, on clocks that may differ."""

    def __init__(self) -> None:
        self.table = FakeControlTable()
        self.clock = FakeClock()

    def holder(self, owner: str = "a", *, skew: float = 0.0) -> tuple[LeaseHolder, FakeControlStore]:
        store = FakeControlStore(self.table)
        return (
            LeaseHolder(store=store, owner=owner, lease_seconds=LEASE, clock=FakeClock(skew), observer=Log()),
            store,
        )


async def test_a_pipeline_without_an_owner_is_taken_at_once():
    rivals = Rivals()
    holder, _ = rivals.holder()
    assert await holder.stand_by() is None
    assert holder.lease is not None
    assert rivals.clock.monotonic() < 1001
    holder.check_trust()


async def test_of_two_processes_one_takes_the_lease_and_the_other_stands_by_e64():
    rivals = Rivals()
    holders = [rivals.holder(name)[0] for name in "ab"]
    standing = [asyncio.create_task(holder.stand_by()) for holder in holders]
    keeping = None
    await asyncio.sleep(0.5)
    owner = next(holder for holder in holders if holder.lease)
    keeping = asyncio.create_task(owner.keep())
    await asyncio.sleep(100)
    assert sum(holder.lease is not None for holder in holders) == 1
    keeping.cancel()
    for task in standing:
        task.cancel()


@pytest.mark.parametrize("skew", [-86400.0, -50.0, 0.0, 50.0, 3600.0, 86400.0])
async def test_a_lease_that_stands_still_for_its_whole_time_is_taken_whatever_the_clocks_show(skew):
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    second, _ = rivals.holder("b", skew=skew)
    start = rivals.clock.monotonic()
    former = await second.stand_by()
    assert former is not None
    assert former.owner == "a"
    assert rivals.clock.monotonic() - start >= LEASE
    assert second.lease is not None
    assert second.lease.generation == former.generation + 1
    with pytest.raises(LeaseLostError):
        first.check_trust()


@pytest.mark.parametrize("skew", [-86400.0, -3600.0, 3600.0, 86400.0])
async def test_a_living_lease_is_not_taken_however_far_apart_the_clocks_are(skew):
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    keeping = asyncio.create_task(first.keep())
    second, _ = rivals.holder("b", skew=skew)
    standing = asyncio.create_task(second.stand_by())
    for _ in range(20):
        await asyncio.sleep(5)
        first.check_trust()
        assert second.lease is None
    keeping.cancel()
    standing.cancel()


async def test_a_lease_is_watched_for_the_time_that_its_owner_gave_it():
    rivals = Rivals()
    first, store = rivals.holder("a")
    await store.acquire_lease("a", None, 5 * LEASE, rivals.clock.now() - 86400)
    second, _ = rivals.holder("b")
    start = rivals.clock.monotonic()
    await second.stand_by()
    assert 5 * LEASE <= rivals.clock.monotonic() - start < 6 * LEASE


async def test_trust_ends_before_another_may_take_over_and_counts_from_the_start_of_the_renewal_e63():
    rivals = Rivals()
    holder, store = rivals.holder()
    await holder.stand_by()

    async def slow(name: str) -> None:
        await asyncio.sleep(4)

    store.before_call = slow
    start = rivals.clock.monotonic()
    await holder.renew_once()
    assert rivals.clock.monotonic() == start + 4
    await asyncio.sleep(3.4)
    holder.check_trust()
    await asyncio.sleep(0.2)  # 7.6 s after its start, of ten
    with pytest.raises(LeaseLostError):
        holder.check_trust()


async def test_who_can_not_renew_stops_by_itself_e63():
    rivals = Rivals()
    holder, store = rivals.holder()
    await holder.stand_by()
    store.fail_next(UnavailableError("no connection"), on="renew_lease", times=100)
    start = rivals.clock.monotonic()
    with pytest.raises(LeaseLostError):
        await holder.keep()
    assert LEASE * 0.5 < rivals.clock.monotonic() - start < LEASE


async def test_a_renewal_that_fails_now_and_then_keeps_the_lease():
    rivals = Rivals()
    holder, store = rivals.holder()
    await holder.stand_by()
    keeping = asyncio.create_task(holder.keep())
    for _ in range(30):
        store.fail_next(UnavailableError("no connection"), on="renew_lease")
        await asyncio.sleep(4)
        holder.check_trust()
    assert not keeping.done()
    keeping.cancel()


async def test_who_finds_another_in_its_place_stops_at_once_e63():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    second, _ = rivals.holder("b")
    await first.stand_by()
    keeping = asyncio.create_task(first.keep())
    await settle()
    held = rivals.table.of("source--replica").lease
    await second._store.acquire_lease("b", held, LEASE, rivals.clock.now())
    with pytest.raises(LeaseLostError):
        await keeping


async def test_a_released_lease_is_taken_at_once_and_says_whether_it_was_left_clean():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    await first.release(is_clean=True)
    second, _ = rivals.holder("b")
    start = rivals.clock.monotonic()
    former = await second.stand_by()
    assert former is not None
    assert former.is_clean
    assert rivals.clock.monotonic() - start < 1.0


async def test_an_acquisition_whose_answer_was_lost_does_not_lock_everybody_out():
    rivals = Rivals()
    holder, store = rivals.holder()
    store.fail_next(AmbiguousError("reset"), on="acquire_lease", after=True)
    await holder.stand_by()
    assert holder.lease is not None
    assert rivals.clock.monotonic() < 1000 + 3 * LEASE


async def test_each_renewal_tells_of_a_pause_that_another_asked_for_e73():
    rivals = Rivals()
    holder, store = rivals.holder()
    told: list[bool] = []
    holder.on_renewed = lambda record: told.append(record.is_paused)
    await holder.stand_by()
    await holder.renew_once()
    await FakeControlStore(rivals.table).set_paused(True)
    await holder.renew_once()
    assert told == [False, True]


async def test_a_standby_that_gets_no_answer_asks_no_oftener_than_one_that_does():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()  # and it is never renewed
    second, store = rivals.holder("b")
    standing = asyncio.create_task(second.stand_by())
    await asyncio.sleep(LEASE / 2)
    store.fail_next(UnavailableError("no connection"), on="read_lease", times=1000)
    before = len(store.calls)
    await asyncio.sleep(LEASE * 3)
    assert len(store.calls) - before <= 3 * LOOKS_PER_LEASE + 1
    standing.cancel()


async def test_a_lease_that_is_wanted_is_asked_for_once_and_taken_as_soon_as_it_is_released_for_the_asker():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    seen: list[tuple[str, int]] = []
    first.on_renewed = lambda record: seen.append((record.wanted_by, record.asks))
    keeping = asyncio.create_task(first.keep())
    second, store = rivals.holder("b")
    third, _ = rivals.holder("c")
    standing = [asyncio.create_task(holder.stand_by()) for holder in (second, third)]
    await asyncio.sleep(LEASE / 2)
    second.is_wanted = True
    await asyncio.sleep(LEASE)
    keeping.cancel()
    assert store.calls.count("ask_for_lease") == 1
    assert seen[-1] == ("b", 1)
    await first.release(is_clean=True, reserved_for="b")
    before = rivals.clock.monotonic()
    await standing[0]
    assert rivals.clock.monotonic() - before <= LOOK_WHEN_ASKED_SECONDS
    assert second.lease is not None
    assert third.lease is None
    assert not second.is_wanted
    standing[1].cancel()


async def test_a_lease_that_is_reserved_for_a_dead_process_is_taken_two_seconds_later():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    await first.release(is_clean=True, reserved_for="dead")
    second, _ = rivals.holder("b")
    before = rivals.clock.monotonic()
    await second.stand_by()
    assert RESERVED_SECONDS <= rivals.clock.monotonic() - before <= RESERVED_SECONDS + 0.1


async def test_who_watched_the_owner_for_long_leaves_a_reserved_lease_to_whom_it_is_reserved_for():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    second, _ = rivals.holder("b")
    standing = asyncio.create_task(second.stand_by())
    await asyncio.sleep(LEASE * 0.9)
    released = rivals.clock.monotonic()
    await first.release(is_clean=True, reserved_for="c")
    await standing
    assert rivals.clock.monotonic() - released >= RESERVED_SECONDS


async def test_who_hands_over_does_not_take_it_back_at_once():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    await first.release(is_clean=True, reserved_for="b")
    standing = asyncio.create_task(first.stand_by())
    await asyncio.sleep(RESERVED_SECONDS * 0.9)
    assert first.lease is None
    standing.cancel()


async def test_what_is_not_wanted_any_more_can_be_wanted_again():
    rivals = Rivals()
    first, _ = rivals.holder("a")
    await first.stand_by()
    keeping = asyncio.create_task(first.keep())
    second, store = rivals.holder("b")
    standing = asyncio.create_task(second.stand_by())
    for is_wanted in (True, False, True):
        second.is_wanted = is_wanted
        await asyncio.sleep(LEASE / 2)
    assert store.calls.count("ask_for_lease") == 2
    keeping.cancel()
    standing.cancel()
