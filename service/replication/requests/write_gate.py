"""The gate that every request to the replica passes: the one owner of pause, trust in the lease, and pressure.

Pressure waits, nothing is dropped: throttling lowers the number of requests under way, and their pace, and raises
both again slowly; `ceiling` caps item writes, and a pause holds new requests back until it ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from service.ports import Clock
from service.replication.requests.adaptive_rate import AdaptiveRateLimiter
from service.replication.requests.turns import TurnShare
from service.replication.requests.write_rate import WriteRateShare

LOWER_AT_MOST_EVERY_SECONDS = 0.1
"""The requests that are under way when throttling begins fail together; they count as one sign."""
LOWERING = 0.7


class WriteLimiter:
    def __init__(
        self,
        clock: Clock,
        *,
        writers: int,
        ceiling: WriteRateShare | None = None,
        turns: TurnShare | None = None,
        check_trust: Callable[[], None] = lambda: None,
    ) -> None:
        """`check_trust` raises LeaseLostError when the lease may be another's; asked right before each request."""
        self._clock = clock
        self._writers = writers
        self._limit = float(writers)
        self._ceiling = ceiling
        self._turns = turns
        self._lowered_at = float("-inf")
        self._check_trust = check_trust
        self._pace = AdaptiveRateLimiter(clock)
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._pausing: list[asyncio.Future[bool]] = []
        self._is_open = asyncio.Event()
        self._is_open.set()
        self.in_flight = 0

    @property
    def is_paused(self) -> bool:
        return not self._is_open.is_set()

    @is_paused.setter
    def is_paused(self, is_paused: bool) -> None:
        (self._is_open.clear if is_paused else self._is_open.set)()

    async def until_open(self) -> None:
        """While it is paused. A job waits here before it reads on: what it reads is of no use until it may write."""
        await self._is_open.wait()

    @property
    def limit(self) -> int:
        """How many requests may be under way now: between 1 and the number of writers."""
        return int(self._limit)

    async def enter(self, items: int) -> None:
        """Before one request that writes so many items; `leave` after it, whatever came of it."""
        if self._ceiling is not None:
            await self._ceiling.wait(items)
        if self._pace.per_second is not None:
            await self._pace.wait(items)
        if self._turns is not None:
            await self._turns.wait()
        while self.is_paused or self.in_flight >= self.limit:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._wake()  # this one's turn, if it had come, is another's
                raise
        self._check_trust()
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._tell_pausing(is_idle=True)
        self._wake()

    def _wake(self) -> None:
        """Let as many try again as there is room for; each looks for itself."""
        room = 0 if self.is_paused else self.limit - self.in_flight
        while self._waiters and room > 0:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1

    async def pause(self) -> bool:
        """Returns when no request is under way any more, and new ones wait. May be repeated.

        False, at once, when `resume` comes before that: it is no pause then.
        """
        self.is_paused = True
        if not self.in_flight:
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pausing.append(waiter)
        return await waiter

    def resume(self) -> None:
        self.is_paused = False
        self._tell_pausing(is_idle=False)
        self._wake()

    def _tell_pausing(self, *, is_idle: bool) -> None:
        for waiter in self._pausing:
            if not waiter.done():
                waiter.set_result(is_idle)
        self._pausing.clear()

    def throttled(self, unprocessed: int = 0) -> None:
        """The replica asked for less; so many items of a request that went through were not taken."""
        self._pace.throttled(unprocessed)
        now = self._clock.monotonic()
        if now - self._lowered_at >= LOWER_AT_MOST_EVERY_SECONDS:
            self._lowered_at = now
            self._limit = max(1.0, self._limit * LOWERING)

    def succeeded(self, items: int = 1) -> None:
        """A request went through: one more at a time after about as many successes as are under way."""
        self._pace.took(items)
        if self._limit < self._writers:
            self._limit = min(float(self._writers), self._limit + 1.0 / self._limit)
            self._wake()
