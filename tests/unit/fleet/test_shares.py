"""service.fleet.shares: of two processes with the same pipelines each gets an even share, and no pipeline waits."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import UnavailableError
from tests.fakes.clock import VirtualTimeLoop
from tests.fakes.control_store import FakeControlStore
from tests.fakes.fleet import FleetProcess, Worlds, entries_of
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item

NAMES = ("orders", "users", "stock", "audit", "carts", "rates")
PAIR = NAMES[:2]


def owned(worlds: Worlds, owner: str) -> list[str]:
    leases = {name: worlds.control.of(name).lease for name in NAMES}
    return [name for name, lease in leases.items() if lease and lease.owner == owner and not lease.is_released]


async def until_shared(worlds: Worlds, *shares: tuple[str, int]) -> None:
    async with asyncio.timeout(300):
        while any(len(owned(worlds, owner)) != count for owner, count in shares):  # noqa: ASYNC110  nobody tells it
            await asyncio.sleep(0.1)


async def until_all_are_led(worlds: Worlds, *processes: FleetProcess) -> None:
    async with asyncio.timeout(300):
        for name in NAMES:
            while not any(process.status(name).lag.caught_up for process in processes):  # noqa: ASYNC110  nobody tells it
                await asyncio.sleep(0.1)


def watch_unowned(worlds: Worlds) -> dict[str, float]:
    """From now on: how long each pipeline's lease was released at most, and nobody's yet."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    since: dict[str, float] = {}
    longest = dict.fromkeys(NAMES, 0.0)

    def look() -> None:
        for name in NAMES:
            lease = worlds.control.of(name).lease
            if lease is None or not lease.is_released:
                since.pop(name, None)
                continue
            longest[name] = max(longest[name], loop.time() - since.setdefault(name, loop.time()))

    loop.on_turn = look
    return longest


async def test_a_second_process_gets_an_even_share_by_orderly_hand_overs():
    worlds = Worlds()
    async with worlds.process(entries_of(*NAMES), "first") as first:
        await first.until_caught_up()
        for name in NAMES:
            worlds.world(name).source.put(item(1))
        longest = watch_unowned(worlds)
        async with worlds.process(entries_of(*NAMES), "second") as second:
            await until_shared(worlds, ("first", 3), ("second", 3))
            assert max(longest.values()) < 0.5, "nobody waits for more than a look or two"
            leases = {name: worlds.control.of(name).lease for name in NAMES}
            assert {leases[name].generation for name in owned(worlds, "first")} == {1}
            assert {leases[name].generation for name in owned(worlds, "second")} == {2}
            for name in NAMES:
                worlds.world(name).source.put(item(2))
            await asyncio.sleep(30)

            await until_all_are_led(worlds, first, second)
            assert {name: worlds.control.of(name).lease.generation for name in NAMES} == {
                name: lease.generation for name, lease in leases.items()
            }, "what is even is left alone"
            for name in NAMES:
                check_equal(worlds.world(name))
                check_all(worlds.world(name))


async def test_who_was_killed_and_is_started_again_gets_its_share_back():
    worlds = Worlds()
    first = await worlds.process(entries_of(*NAMES), "first").start()
    async with worlds.process(entries_of(*NAMES), "second"):
        await until_shared(worlds, ("first", 3), ("second", 3))
        await first.die()
        await until_shared(worlds, ("second", 6))
        async with worlds.process(entries_of(*NAMES), "third"):
            await until_shared(worlds, ("second", 3), ("third", 3))


async def test_a_paused_pipeline_keeps_its_process():
    worlds = Worlds()
    async with worlds.process(entries_of(*PAIR), "first") as first:
        await first.until_caught_up()
        await first.fleet.of("orders").pause()
        await first.fleet.of("users").pause()
        async with worlds.process(entries_of(*PAIR), "second"):
            await asyncio.sleep(120)
            assert owned_by_first(worlds) == ["orders", "users"]
            await first.fleet.of("users").resume()
            async with asyncio.timeout(300):
                while worlds.control.of("users").lease.owner != "second":  # noqa: ASYNC110  nobody tells it
                    await asyncio.sleep(0.1)
            assert owned_by_first(worlds) == ["orders"]


def owned_by_first(worlds: Worlds) -> list[str]:
    return [name for name in PAIR if worlds.control.of(name).lease.owner == "first"]


async def test_an_endless_verification_keeps_no_pipeline_from_moving():
    worlds = Worlds()
    entries = entries_of(*NAMES, verify_items_per_second=100)
    async with worlds.process(entries, "first") as first:
        await first.until_caught_up()
        await asyncio.sleep(30)
        async with worlds.process(entries, "second"):
            await until_shared(worlds, ("first", 3), ("second", 3))


@pytest.mark.parametrize("job", ["snapshot", "verify"])
async def test_a_job_that_somebody_waits_for_keeps_its_process_until_it_has_ended(job: str):
    worlds = Worlds()
    async with worlds.process(entries_of(*PAIR), "first") as first:
        await first.until_caught_up()
        for name in PAIR:
            worlds.world(name).source.put(item(1))
            worlds.world(name).plan.outage("source", 0, worlds.world(name).clock.now() + 200)
            await getattr(first.fleet.of(name), job)()
        async with worlds.process(entries_of(*PAIR), "second"):
            await asyncio.sleep(120)
            assert owned_by_first(worlds) == ["orders", "users"]
            async with asyncio.timeout(300):
                while len(owned_by_first(worlds)) == 2:  # noqa: ASYNC110  nobody tells it
                    await asyncio.sleep(0.1)


async def ask(worlds: Worlds, name: str, asker: str) -> None:
    store = FakeControlStore(worlds.control, name)
    seen = await store.read_lease()
    assert seen is not None
    await store.ask_for_lease(asker, seen)


async def test_an_owner_hands_over_only_what_makes_the_shares_more_even():
    worlds = Worlds()
    async with worlds.process(entries_of(*NAMES), "first") as first:
        await first.until_caught_up()
        async with worlds.process(entries_of(*NAMES), "second"):
            await until_shared(worlds, ("first", 3), ("second", 3))
            before = owned(worlds, "first")
            await ask(worlds, before[0], "second")
            await asyncio.sleep(60)
            assert owned(worlds, "first") == before


async def test_what_was_asked_for_long_ago_is_not_answered():
    """Whoever asked may be dead by now: nobody would have the pipeline for a lease time."""
    worlds = Worlds()
    async with worlds.process(entries_of(*PAIR), "first") as first:
        await first.until_caught_up()
        await first.fleet.of("orders").pause()
        await ask(worlds, "orders", "a dead one")
        await asyncio.sleep(30)
        await first.fleet.of("orders").resume()
        await asyncio.sleep(60)
        assert owned_by_first(worlds) == ["orders", "users"]
        assert worlds.control.of("orders").lease.generation == 1


async def test_a_drain_that_gets_nowhere_is_given_up():
    worlds = Worlds()
    async with worlds.process(entries_of(*PAIR), "first") as first:
        await first.until_caught_up()
        world = worlds.world("orders")
        world.plan.outage("replica", 0, world.clock.now() + 1000, UnavailableError("no answer", "NotSent"))
        world.source.put(item(1))
        await asyncio.sleep(20)
        await ask(worlds, "orders", "second")
        async with asyncio.timeout(60):
            while not worlds.control.of("orders").lease.is_released:  # noqa: ASYNC110  nobody tells it
                await asyncio.sleep(0.1)
        assert worlds.control.of("orders").lease.reserved_for == "second"
        assert not worlds.control.of("orders").lease.is_clean
        await first.die()


async def test_a_later_stop_reserves_nothing_for_whoever_once_had_it():
    worlds = Worlds()
    first = await worlds.process(entries_of(*PAIR), "first").start()
    await first.until_caught_up()
    second = await worlds.process(entries_of(*PAIR), "second").start()
    await until_shared(worlds, ("first", 1), ("second", 1))
    await second.die()
    await until_shared(worlds, ("first", 2))
    await first.stop()
    assert {worlds.control.of(name).lease.reserved_for for name in PAIR} == {""}
