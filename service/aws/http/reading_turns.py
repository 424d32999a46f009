"""Turns at reading long answers, which all pipelines of the process share: a page takes milliseconds.

Without them hundreds of pages of streams or scans that come at once are read in one go, and meanwhile no lease is
renewed: on a slow processor that takes seconds.
"""

from __future__ import annotations

import asyncio

LONG_BYTES = 50_000
"""A shorter answer is read in some 100 µs, and takes no turn."""


class ReadingTurns:
    """At most one turn for each round of the event loop, first come, first served."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def next(self) -> None:
        async with self._lock:
            await asyncio.sleep(0)
