"""The pace of calls that AWS allows only so often: no more in any second, in the order in which they were asked."""

from __future__ import annotations

import asyncio

from service.aws.call_rate import CallRate
from tests.fakes.clock import FakeClock


async def test_no_second_has_more_calls_than_the_rate_also_not_after_a_rest():  # E2
    clock = FakeClock()
    rate = CallRate(10, clock.monotonic, clock.sleep)
    made: list[tuple[float, int]] = []

    async def call(number: int) -> None:
        await rate.wait()
        made.append((clock.monotonic(), number))

    await clock.sleep(60)
    began = clock.monotonic()
    await asyncio.gather(*(call(number) for number in range(100)))
    assert [number for _, number in made] == list(range(100))
    assert clock.monotonic() - began < 100 / 10 * 1.2
    for first, _ in made:
        assert sum(first <= at <= first + 1 for at, _ in made) <= 10


async def test_calls_after_a_rest_do_not_wait():
    clock = FakeClock()
    rate = CallRate(10, clock.monotonic, clock.sleep)
    await clock.sleep(60)
    before = clock.monotonic()
    for _ in range(10):
        await rate.wait()
    assert clock.monotonic() == before
