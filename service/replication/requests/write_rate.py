"""The ceiling on item writes, for all pipelines of the process together."""

from __future__ import annotations

import asyncio

from service.ports import Clock


class WriteRate:
    """Lets writes through at one pace. Each pipeline has a `share`."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._per_second = per_second
        self._free_at = 0.0
        self._turn = asyncio.Lock()

    def share(self) -> WriteRateShare:
        return WriteRateShare(self)

    async def next(self, items: int) -> None:
        async with self._turn:  # first come, first served
            if (seconds := self._free_at - self._clock.monotonic()) > 0:
                await self._clock.sleep(seconds)
            self._free_at = max(self._free_at, self._clock.monotonic()) + items / self._per_second


class WriteRateShare:
    """One pipeline's. Of its requests one at a time waits with the other pipelines', so that these take turns."""

    def __init__(self, rate: WriteRate) -> None:
        self._rate = rate
        self._turn = asyncio.Lock()

    async def wait(self, items: int) -> None:
        """Until so many more may be written."""
        async with self._turn:
            await self._rate.next(items)
