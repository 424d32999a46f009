"""A pace for calls that AWS allows only so often for an account: those of all pipelines of the process together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

# botocore, dynamodbstreams 2012-08-10, DescribeStream: "a maximum rate of 10 times per second".
DESCRIBE_STREAM_PER_SECOND = 10
_SECOND = 1.1
"""Calls of one second arrive in a little less: on their way, the first may lose time that the last does not."""


class CallRate:
    """First come, first served. After a rest, as many calls as a second may have go through at once."""

    def __init__(
        self,
        per_second: int,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._made_at = deque([float("-inf")] * per_second, per_second)
        self._monotonic = monotonic
        self._sleep = sleep
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Until one more call may be made."""
        async with self._turn:
            if (seconds := self._made_at[0] + _SECOND - self._monotonic()) > 0:
                await self._sleep(seconds)
            self._made_at.append(self._monotonic())
