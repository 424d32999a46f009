"""Turns at the event loop, which all pipelines of the process share: making a request takes it for up to a millisecond.

Without them hundreds of writers that are ready at once make their requests in one go: meanwhile nobody's answer is
read, the connections that are being made run out of time, and where the processor is slow no request gets through.
"""

from __future__ import annotations

import asyncio
from collections import deque

IN_A_ROUND = 16
"""As many as the writers of one pipeline make by default. With one in a round, 50 busy pipelines read far ahead of what
they write, and come to three quarters of one pipeline's rate; with 16 to nine tenths."""


class Turns:
    """So many for each round of the event loop, so that all that is ready gets its part in between."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def share(self) -> TurnShare:
        """One pipeline's."""
        return TurnShare(self)

    async def next(self) -> None:
        """First come, first served; at once where nobody had a turn in this round."""
        loop = asyncio.get_running_loop()
        if not self._is_taken:
            self._is_taken = True
            loop.call_soon(self._pass_on)
            return
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _pass_on(self) -> None:
        """Once in each round, while anybody waits; a turn that is cancelled meanwhile is lost with its round."""
        passed = 0
        while self._waiting and passed < IN_A_ROUND:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                passed += 1
        self._is_taken = passed > 0
        if passed:
            asyncio.get_running_loop().call_soon(self._pass_on)


class TurnShare:
    """Of a pipeline's writers one at a time waits with those of other pipelines, so that the pipelines take turns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._first = asyncio.Lock()

    async def wait(self) -> None:
        async with self._first:
            await self._turns.next()
