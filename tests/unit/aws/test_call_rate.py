"""The pace of calls that AWS allows only so often: no more in any second, in the order in which they were asked."""

from __future__ import annotations

import asyncio

from service.aws.call_rate import BURST_SECONDS, CallRate
from tests.fakes.clock import FakeClock


async def test_calls_of_many_keep_to_the_rate_after_a_short_burst():
    clock = FakeClock()
    rate = CallRate(10, clock.monotonic, clock.sleep)
    made: list[tuple[float, int]] = []

    async def call(number: int) -> None:
        await rate.wait()
        made.append((clock.monotonic(), number))

    began = clock.monotonic()
    await asyncio.gather(*(call(number) for number in range(100)))
    assert [number for _, number in made] == list(range(100))
    assert clock.monotonic() - began >= 100 / 10 - BURST_SECONDS - 0.11
    for first in range(100):
        in_a_second = [at for at, _ in made if made[first][0] <= at < made[first][0] + 1]
        assert len(in_a_second) <= 10 * (1 + BURST_SECONDS) + 1


async def test_a_call_after_a_rest_does_not_wait():
    clock = FakeClock()
    rate = CallRate(10, clock.monotonic, clock.sleep)
    await clock.sleep(60)
    before = clock.monotonic()
    for _ in range(5):
        await rate.wait()
    assert clock.monotonic() == before
