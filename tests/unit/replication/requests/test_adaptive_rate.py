"""A replica that throttles is asked for about what it gives, as soon as it gives it, and at full speed afterwards."""

from __future__ import annotations

import asyncio

import pytest

from service.replication.requests.adaptive_rate import FORGET_AFTER_SECONDS, SLOWEST_PER_SECOND, AdaptiveRateLimiter
from tests.fakes.clock import FakeClock
from tests.support.workbench import Bench

BATCH = 25


class Capacity:
    """So many writes a second, a second's worth at most at once; what is over it is left unprocessed."""

    def __init__(self, bench: Bench, per_second: float) -> None:
        self._clock = bench.process.clock
        self._per_second = per_second
        self._left = 0.0
        self._at = self._clock.monotonic()
        self.sent = 0
        bench.world.replica.leaves_unprocessed = self.refuses

    def refuses(self, write) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        self.sent += 1
        if self._left < 1:
            return True
        self._left -= 1
        return False


@pytest.mark.parametrize(("per_second", "lanes", "items"), [(100, 16, 2000), (30, 16, 300), (400, 16, 3000)])
async def test_a_throttled_replica_is_asked_for_about_what_it_gives(per_second, lanes, items):
    bench = Bench()
    path = await bench.open()
    changes = [bench.put(f"k{number}", "1") for number in range(items)]
    capacity = Capacity(bench, per_second)
    began = bench.process.clock.monotonic()

    async def lane(mine) -> None:
        for start in range(0, len(mine), BATCH):
            await path.sink.apply([[one] for one in mine[start : start + BATCH]])

    await asyncio.gather(*(lane(changes[number::lanes]) for number in range(lanes)))

    assert len(bench.settled) == items
    assert capacity.sent < 2.5 * items
    assert bench.world.replica.calls["write_batch"] < items / 5
    assert bench.process.clock.monotonic() - began < 1.5 * items / per_second, "capacity was left unused"


async def test_what_is_never_throttled_never_waits():
    clock = FakeClock()
    pace = AdaptiveRateLimiter(clock)
    began = clock.monotonic()
    for _ in range(100):
        await pace.wait(BATCH)
        pace.took(BATCH)
    assert clock.monotonic() == began
    assert pace.per_second is None


async def test_a_replica_that_throttles_no_more_is_soon_asked_without_a_pace():
    clock = FakeClock()
    pace = AdaptiveRateLimiter(clock)
    pace.throttled()
    assert pace.per_second == SLOWEST_PER_SECOND
    began = clock.monotonic()
    while pace.per_second is not None:
        await pace.wait(BATCH)
        pace.took(BATCH)
    assert FORGET_AFTER_SECONDS < clock.monotonic() - began < FORGET_AFTER_SECONDS + 2


async def test_who_waits_for_a_slow_pace_goes_on_when_it_is_forgotten():
    clock = FakeClock()
    pace = AdaptiveRateLimiter(clock)
    pace.throttled()
    await pace.wait(1000)  # 40 s worth
    waiting = asyncio.create_task(pace.wait(1))
    await clock.sleep(FORGET_AFTER_SECONDS + 1)
    pace.took(1)
    await clock.sleep(2)
    assert waiting.done()
