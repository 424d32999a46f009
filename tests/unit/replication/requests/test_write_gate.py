"""The gate: pause, trust, pressure and the ceiling, in front of every request to the replica."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import LeaseLostError
from service.replication.requests.write_gate import WriteLimiter
from service.replication.requests.write_rate import WriteRate
from tests.fakes.clock import FakeClock, settle


def gate(**options) -> WriteLimiter:
    return WriteLimiter(FakeClock(), **({"writers": 4} | options))


async def test_no_more_requests_are_under_way_than_there_are_writers():
    door = gate(writers=2)
    entering = [asyncio.create_task(door.enter(1)) for _ in range(5)]
    await settle()
    assert door.in_flight == 2
    for _ in range(5):
        door.leave()
        await settle()
        assert door.in_flight <= 2
    await asyncio.gather(*entering)
    assert door.in_flight == 0


async def test_a_pause_returns_when_nothing_is_under_way_and_holds_what_comes_e73():
    door = gate()
    await door.enter(1)
    pausing = asyncio.create_task(door.pause())
    await settle()
    assert not pausing.done()
    entering = asyncio.create_task(door.enter(1))
    await settle()
    assert not entering.done()
    door.leave()
    await pausing
    await door.pause()
    assert not entering.done()
    door.resume()
    await entering


async def test_items_are_written_no_faster_than_the_ceiling():
    clock = FakeClock()
    door = WriteLimiter(clock, writers=100, ceiling=WriteRate(clock, 10).share())
    start = clock.monotonic()
    for _ in range(5):
        await door.enter(4)
        door.leave()
    assert clock.monotonic() - start == pytest.approx(1.6)


async def test_idle_time_does_not_let_a_burst_through_later():
    clock = FakeClock()
    door = WriteLimiter(clock, writers=100, ceiling=WriteRate(clock, 10).share())
    await door.enter(1)
    await clock.sleep(100)
    start = clock.monotonic()
    for _ in range(11):
        await door.enter(1)
    assert clock.monotonic() - start == pytest.approx(1.0)


async def test_throttling_lowers_the_number_of_requests_and_success_raises_it_slowly():
    clock = FakeClock()
    door = WriteLimiter(clock, writers=16)
    for _ in range(5):
        door.throttled()  # those under way fail together, and count once
    assert door.limit == 11
    for _ in range(40):
        await clock.sleep(1)
        door.throttled()
    assert door.limit == 1
    for _ in range(5):
        door.succeeded()
    assert 1 < door.limit < 6
    for _ in range(500):
        door.succeeded()
    assert door.limit == 16


async def test_trust_in_the_lease_is_looked_at_right_before_each_request_e63():
    trusted = [True]

    def check() -> None:
        if not trusted[0]:
            raise LeaseLostError("another may own it")

    door = gate(writers=1, check_trust=check)
    await door.enter(1)
    waiting = asyncio.create_task(door.enter(1))
    await settle()
    trusted[0] = False  # lost while it waited for its turn
    door.leave()
    with pytest.raises(LeaseLostError):
        await waiting
    assert door.in_flight == 0


async def test_a_cancelled_wait_gives_its_turn_to_the_next():
    door = gate(writers=1)
    await door.enter(1)
    first, second = (asyncio.create_task(door.enter(1)) for _ in range(2))
    await settle()
    door.leave()
    first.cancel()
    await settle()
    assert second.done()
    assert door.in_flight == 1
