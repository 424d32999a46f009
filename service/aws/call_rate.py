"""A pace for calls that AWS allows only so often for an account: those of all pipelines of the process together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

# botocore, dynamodbstreams 2012-08-10, DescribeStream: "a maximum rate of 10 times per second".
DESCRIBE_STREAM_PER_SECOND = 10.0
BURST_SECONDS = 0.5
"""After a rest, as many calls as belong into this time go through at once."""


class CallRate:
    """First come, first served."""

    def __init__(
        self,
        per_second: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds_a_call = 1 / per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at = float("-inf")
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Until one more call may be made."""
        async with self._turn:
            if (seconds := self._free_at - self._monotonic()) > 0:
                await self._sleep(seconds)
            self._free_at = max(self._free_at, self._monotonic() - BURST_SECONDS) + self._seconds_a_call
