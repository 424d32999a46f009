"""What service.ports.ControlStore promises of a pause: on the fake, and on the real servers."""

from dataclasses import replace

from tests.support.stored_records import NOW, lease_of


async def test_a_pause_before_the_first_owner_is_kept_for_it(store):
    await store.set_paused(True)

    assert await store.read_lease() is None
    assert (await store.acquire_lease("first", None, 10, NOW)).is_paused


async def test_the_owner_sees_a_pause_in_its_next_renewal(store):
    await store.acquire_lease("first", None, 10, NOW)

    await store.set_paused(True)
    assert (await store.renew_lease(lease_of(), NOW + 1)).is_paused
    await store.set_paused(False)
    assert not (await store.renew_lease(lease_of(), NOW + 2)).is_paused


async def test_a_pause_knows_since_when(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    assert seen.paused_since == 0

    assert await store.set_paused(True, NOW + 1) == (NOW + 1, "")
    assert await store.set_paused(True, NOW + 5) == (NOW + 1, ""), "it was paused already"
    assert (await store.read_lease()).paused_since == NOW + 1
    assert (await store.renew_lease(lease_of(), NOW + 6)).paused_since == NOW + 1
    assert (await store.acquire_lease("second", await store.read_lease(), 10, NOW)).paused_since == NOW + 1

    assert await store.set_paused(False, NOW + 7) == (0, "")
    assert (await store.read_lease()).paused_since == 0
    assert await store.set_paused(True, NOW + 8) == (NOW + 8, "")


async def test_a_pause_knows_who_asked_for_it_first(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    assert seen.paused_by == ""

    first = (NOW + 1, "admin from 10.0.3.7")
    assert await store.set_paused(True, *first) == first
    assert await store.set_paused(True, NOW + 2, "admin from 10.0.3.8") == first
    assert (await store.renew_lease(lease_of(), NOW + 3)).paused_by == "admin from 10.0.3.7"

    await store.set_paused(False)
    assert (await store.read_lease()).paused_by == ""
    await store.set_paused(True, NOW + 4)
    assert (await store.read_lease()).paused_by == ""


async def test_a_pause_whose_beginning_nobody_told_gets_one_when_it_is_asked_for_again(store):
    await store.set_paused(True)
    assert await store.set_paused(True, NOW + 1, "admin") == (NOW + 1, "admin")


async def test_a_pause_outlives_its_owner(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.set_paused(True)

    assert (await store.acquire_lease("second", seen, 10, NOW)).is_paused


async def test_a_pause_does_not_look_like_a_renewal(store):
    seen = await store.acquire_lease("first", None, 10, NOW)

    await store.set_paused(True)

    assert await store.read_lease() == replace(seen, is_paused=True)
