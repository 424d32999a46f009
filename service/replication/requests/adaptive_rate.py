"""How fast a replica that throttles is asked: at the rate that it last took, and slowly more.

The number of requests under way can't hold a rate by itself: a refusal comes so soon that even one at a time asks far
too often, and every refused or half-done batch is sent again.
"""

from __future__ import annotations

import asyncio

from service.ports import Clock

SLOWEST_PER_SECOND = 25.0
"""One whole batch: what a replica took while there was little to write tells nothing about its capacity."""
LOWER_AT_MOST_EVERY_SECONDS = 0.5
LOWERING = 0.8
RAISING, FIRST_RAISING = 0.1, 0.7
"""For each item that was taken: a tenth more in a second; much more until the first guess has proved too high."""
FORGET_AFTER_SECONDS = 5.0
"""More than it takes to come back from LOWERING to where throttling began."""
_MEASURE_SECONDS = 1.0


class AdaptiveRateLimiter:
    """One replica's. It costs nothing while nobody throttles."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._free_at = 0.0
        self._lowered_at = float("-inf")
        self._since = clock.monotonic()
        self._taken = 0
        self._raising = FIRST_RAISING
        self.per_second: float | None = None
        """Items; None while nothing holds them back."""

    async def wait(self, items: int) -> None:
        """Until so many more may be sent; first come, first served."""
        async with self._turn:
            while self.per_second is not None and (seconds := self._free_at - self._clock.monotonic()) > 0:
                await self._clock.sleep(min(seconds, _MEASURE_SECONDS))
            if self.per_second is not None:
                self._free_at = self._clock.monotonic() + items / self.per_second

    def took(self, items: int) -> None:
        """The replica wrote them."""
        now = self._clock.monotonic()
        if self.per_second is not None:
            self.per_second += self._raising * items
            if now - self._lowered_at > FORGET_AFTER_SECONDS:
                self.per_second = None
        if now - self._since > 2 * _MEASURE_SECONDS:
            self._since, self._taken = now - _MEASURE_SECONDS, 0
        self._taken += items

    def throttled(self, unprocessed: int = 0) -> None:
        """The replica asked for less; of what it seemed to take, so many items were not taken after all."""
        now = self._clock.monotonic()
        self._taken -= unprocessed
        if now - self._lowered_at < LOWER_AT_MOST_EVERY_SECONDS:
            return
        self._lowered_at = now
        if self.per_second is None:
            found = self._taken / max(now - self._since, _MEASURE_SECONDS)
            self._raising = FIRST_RAISING
        else:
            found = LOWERING * self.per_second
            self._raising = RAISING
        self.per_second = max(SLOWEST_PER_SECOND, found)
