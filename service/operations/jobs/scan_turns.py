"""Turns among the scans of all pipelines of the process: a few read at a time, since each holds pages in memory.

A turn lasts some seconds and is handed on to whoever waits. So a job that gets nowhere, in a paused pipeline or with a
replica that refuses, keeps no other pipeline's job waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.ports import Clock

TURN_SECONDS = 5.0


class ScanTurns:
    """One job's part. What it has read before its turn ended, it finishes."""

    def __init__(self, places: asyncio.Semaphore, clock: Clock) -> None:
        """`places` are those of the process."""
        self._places = places
        self._clock = clock
        self._is_ours = asyncio.Event()

    async def wait(self) -> None:
        """Before each page, within `taken`: until it is this job's turn."""
        await self._is_ours.wait()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Until the block ends, one turn after the other."""
        taking = asyncio.create_task(self._take(), name="turns to scan")
        try:
            yield
        finally:
            taking.cancel()
            await asyncio.wait([taking])

    async def _take(self) -> None:
        while True:
            async with self._places:  # whoever waits for it comes first, before this job's next turn
                self._is_ours.set()
                try:
                    await self._clock.sleep(TURN_SECONDS)
                finally:
                    self._is_ours.clear()
