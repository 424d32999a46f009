"""How one process's part in a pipeline ends: a moment, computed as the stop is asked for, by which all of it is over.

What was read is applied until then, the last save and the release of the lease get what is left, and each is cut when
its time is up: what was under way then is as it is after a crash, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Answer = TypeVar("Answer")

LEAST_SECONDS = 0.5
"""For a save and a release, where no time is set for a stop."""
RESERVED_SECONDS = 1.0
"""Of the time that is set, at most: what the save and the release get at least, however long the applying takes."""


class Ending:
    """Belongs to a pipeline; `ask` is called from its event loop. `cut` names what was not over in time."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self.cut: list[str] = []
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()
        self._apply_until = self._save_until = self._end_at = float("inf")
        self._limit: asyncio.Timeout | None = None

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    async def until_asked(self) -> None:
        await self._asked.wait()

    @property
    def is_hurried(self) -> bool:
        return self._hurried.is_set()

    @property
    def seconds_left(self) -> float | None:
        """None while nobody has asked."""
        return self._left(self._end_at) if self.is_asked else None

    def ask(self) -> None:
        """A second time: without waiting for what is under way."""
        now = asyncio.get_running_loop().time()
        if self.is_asked:
            self._hurried.set()
            self._end_at = min(self._end_at, now + LEAST_SECONDS)
        else:
            reserved = min(RESERVED_SECONDS, self.timeout_seconds / 2)
            self._apply_until = now + self.timeout_seconds - reserved
            self._end_at = now + max(self.timeout_seconds, LEAST_SECONDS)
            self._asked.set()
        self._save_until = self._end_at - min(RESERVED_SECONDS, self._end_at - now) / 4
        if self._limit is not None:
            self._limit.reschedule(self._end_at)

    async def unless_asked(self, waiting: Awaitable[Answer], *beside: Awaitable[None]) -> Answer | None:
        """Its result; None when `ask` comes first. What goes on beside it ends it by raising, else with it."""
        work, stop = asyncio.ensure_future(waiting), asyncio.ensure_future(self._asked.wait())
        others = [asyncio.ensure_future(other) for other in beside]
        try:
            await asyncio.wait((work, *others, stop), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return await work
            return next((other.result() for other in others if other.done()), None)
        finally:
            for task in (work, *others, stop):
                task.cancel()

    async def applied(self, flow: asyncio.Future[Any]) -> None:
        """Returns when the flow has ended, or its time to apply what was read is up."""
        hurry = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait(
                (flow, hurry), timeout=self._left(self._apply_until), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurry.cancel()
        if not flow.done() and not self.is_hurried:
            self.cut.append("what was read is not all applied")

    async def saved(self, flow: asyncio.Future[Any]) -> None:
        """The same, of a flow that has given up and saves what it has; it is cancelled when its time is up."""
        await asyncio.wait([flow], timeout=self._left(self._save_until))
        if not flow.done():
            self.cut.append("the last save has no answer")
            flow.cancel()
            await asyncio.wait([flow], timeout=self._left(self._end_at))

    @asynccontextmanager
    async def in_time(self, otherwise: str) -> AsyncIterator[None]:
        """Raises TimeoutError when the block is not over by the end; `otherwise` says what that means."""
        try:
            async with asyncio.timeout_at(self._end_at if self.is_asked else None) as self._limit:
                yield
        except TimeoutError:
            self.cut.append(otherwise)
            raise
        finally:
            self._limit = None

    def _left(self, moment: float) -> float:
        return max(0.0, moment - asyncio.get_running_loop().time())
