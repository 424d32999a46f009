"""What service.ports.ControlStore promises of the lease: on the fake, and on the real servers."""

import asyncio
from dataclasses import replace

import pytest

from service.errors import LeaseLostError
from service.pipeline_state import Lease
from tests.support.stored_records import NOW, lease_of


async def test_nobody_has_the_lease_of_a_new_pipeline(store):
    assert await store.read_lease() is None


async def test_the_first_owner_gets_generation_one(store):
    taken = await store.acquire_lease("first", None, 10.5, NOW)

    assert (taken.owner, taken.generation, taken.lease_seconds, taken.renewed_at) == ("first", 1, 10.5, NOW)
    assert (taken.is_released, taken.is_clean, taken.is_paused) == (False, False, False)
    assert await store.read_lease() == taken


async def test_a_lease_that_came_meanwhile_is_not_taken(store):
    first = await store.acquire_lease("first", None, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.acquire_lease("second", None, 10, NOW)

    assert await store.read_lease() == first


@pytest.mark.needs("conditions hold among many at once")
async def test_one_of_many_that_saw_the_same_lease_gets_it(store):
    seen = await store.acquire_lease("former", None, 10, NOW)

    answers = await asyncio.gather(
        *(store.acquire_lease(f"owner {number}", seen, 10, NOW) for number in range(8)), return_exceptions=True
    )

    (winner,) = (answer for answer in answers if not isinstance(answer, BaseException))
    assert winner.generation == 2
    assert all(isinstance(answer, LeaseLostError) for answer in answers if isinstance(answer, BaseException))
    assert await store.read_lease() == winner


async def test_a_lease_that_was_renewed_since_it_was_seen_is_not_taken(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.renew_lease(lease_of(), NOW + 1)

    with pytest.raises(LeaseLostError):
        await store.acquire_lease("second", seen, 10, NOW + 20)


async def test_each_renewal_shows_that_the_owner_is_alive(store):
    taken = await store.acquire_lease("first", None, 10, NOW)

    once = await store.renew_lease(lease_of(), NOW + 1)
    twice = await store.renew_lease(lease_of(), NOW + 2.5)

    assert len({taken.renewals, once.renewals, twice.renewals}) == 3
    assert twice.renewed_at == NOW + 2.5
    assert await store.read_lease() == twice


async def test_a_new_owner_never_looks_like_a_former_one_that_stands_still(store):
    seen = await store.acquire_lease("first", None, 10, NOW)

    renewals = []
    for owner in ("second", "third", "second"):
        seen = await store.acquire_lease(owner, seen, 10, NOW)
        renewals.append(seen.renewals)
    renewals.append((await store.renew_lease(Lease("second", 4), NOW)).renewals)

    assert renewals == sorted(set(renewals))


async def test_a_former_owner_can_neither_renew_nor_release(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    present = await store.acquire_lease("second", seen, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW)
    with pytest.raises(LeaseLostError):
        await store.release_lease(lease_of(), is_clean=True, now=NOW)

    assert await store.read_lease() == present


async def test_a_generation_of_the_same_owner_is_another_lease(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.acquire_lease("first", seen, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(generation=1), NOW)


async def test_a_lease_that_nobody_took_can_not_be_renewed(store):
    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW)


@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_released_lease_tells_the_next_owner_how_it_ended(store, is_clean):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=is_clean, now=NOW + 3)

    seen = await store.read_lease()
    assert (seen.is_released, seen.is_clean, seen.renewed_at) == (True, is_clean, NOW + 3)
    taken = await store.acquire_lease("second", seen, 10, NOW + 4)
    assert (taken.generation, taken.is_released, taken.is_clean) == (2, False, False)


async def test_what_an_owner_tells_of_its_lag_outlives_it(store):
    taken = await store.acquire_lease("first", None, 10, NOW)
    assert taken.behind_since == 0.0

    assert (await store.renew_lease(lease_of(), NOW + 1, NOW - 5.25)).behind_since == NOW - 5.25
    assert (await store.renew_lease(lease_of(), NOW + 2)).behind_since == NOW - 5.25
    await store.release_lease(lease_of(), is_clean=True, now=NOW + 3, behind_since=NOW - 4.5)

    seen = await store.read_lease()
    assert seen.behind_since == NOW - 4.5
    assert (await store.acquire_lease("second", seen, 10, NOW + 4)).behind_since == NOW - 4.5


async def test_since_when_an_owner_has_it_is_told_as_long_as_it_has_it(store):
    taken = await store.acquire_lease("first", None, 10, NOW)
    renewed = await store.renew_lease(lease_of(), NOW + 1)
    assert taken.held_since == renewed.held_since == NOW

    await store.release_lease(lease_of(), is_clean=True, now=NOW + 3)
    seen = await store.read_lease()
    assert seen.held_since == 0.0
    again = await store.acquire_lease("second", seen, 10, NOW + 4)
    assert again.held_since == NOW + 4
    assert replace(again, generation=again.generation + 1).held_since == 0.0, "an owner that tells nothing of it"


async def test_a_released_lease_is_not_renewed(store):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW + 1)


async def test_an_owner_sees_who_wants_its_lease_and_whoever_is_next_does_not(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    assert (seen.wanted_by, seen.asks) == ("", 0)
    await store.ask_for_lease("second", seen)
    renewed = await store.renew_lease(lease_of(), NOW + 1)
    assert (renewed.wanted_by, renewed.asks) == ("second", 1)
    await store.ask_for_lease("third", seen)
    assert (await store.read_lease()).wanted_by == "third"

    await store.release_lease(lease_of(), is_clean=True, now=NOW + 2, reserved_for="third")

    released = await store.read_lease()
    assert (released.is_released, released.reserved_for) == (True, "third")
    taken = await store.acquire_lease("third", released, 10, NOW + 3)
    assert (taken.wanted_by, taken.reserved_for, taken.asks) == ("", "", 2)


async def test_a_lease_that_has_another_owner_or_none_is_not_asked_for(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)
    with pytest.raises(LeaseLostError):
        await store.ask_for_lease("third", seen)
    await store.acquire_lease("second", await store.read_lease(), 10, NOW)
    with pytest.raises(LeaseLostError):
        await store.ask_for_lease("third", seen)


async def test_releasing_twice_is_releasing_once(store):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    assert (await store.read_lease()).is_released
