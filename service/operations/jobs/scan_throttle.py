"""How much of a scan is asked for at once: as much as the table gives, until answers get lost.

A table that takes longer for what it is asked than a request may take would never answer, however often the same is
asked of it: then fewer segments are scanned at the same time, and at last smaller pages asked for. A crash costs
nothing: the next scan begins with everything again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from service.errors import AmbiguousError, UnavailableError
from service.model import ItemKey, ScanPage
from service.ports import Table


class Step(NamedTuple):
    scans: int
    """At the same time."""
    items: int | None
    """In a page; None is a whole one."""


STEPS = (
    Step(8, None),
    Step(4, None),
    Step(2, None),
    Step(1, None),
    Step(1, 1000),
    Step(1, 500),
    Step(1, 250),
    Step(1, 100),
)
"""With items of 1 KB, 1000 of them are the 1 MB at which DynamoDB ends a page (API reference, Scan)."""
PAGES_A_STEP = 8
MAX_PATIENCE = 64


class ScanThrottle:
    """Shared by the segments of one job's scans. `until_open` waits while nothing is to be read."""

    def __init__(self, until_open: Callable[[], Awaitable[None]] | None = None) -> None:
        self._until_open = until_open
        self._at = 0
        self._pages = 0
        self._patience = 1
        """Doubles with each step down, so that a table that is slow by nature is seldom asked for too much."""
        self._scans = 0
        self._has_room = asyncio.Event()

    @property
    def step(self) -> Step:
        return STEPS[self._at]

    async def scan(
        self, table: Table, segment: int, segments: int, after: ItemKey | None, at_most: int | None = None
    ) -> ScanPage:
        """One page, of no more than `at_most` items. Repeated after a lost answer, it asks for less."""
        await self._enter()
        asked_at = self._at
        limits = [limit for limit in (self.step.items, at_most) if limit is not None]
        try:
            if self._until_open is not None:
                await self._until_open()
            page = await table.scan(segment, segments, after, min(limits, default=None))
        except (AmbiguousError, UnavailableError):
            self._lost(asked_at)
            raise
        else:
            self._answered()
            return page
        finally:
            self._scans -= 1
            self._has_room.set()  # whoever waits looks again: a few segments at the most

    async def _enter(self) -> None:
        while self._scans >= self.step.scans:
            self._has_room.clear()
            await self._has_room.wait()
        self._scans += 1

    def _lost(self, asked_at: int) -> None:
        """Several segments that lose their answers at once count as one."""
        if asked_at != self._at:
            return
        self._pages = 0
        self._patience = min(MAX_PATIENCE, 2 * self._patience)
        self._at = min(self._at + 1, len(STEPS) - 1)

    def _answered(self) -> None:
        if self._at == 0:
            return
        self._pages += 1
        if self._pages >= PAGES_A_STEP * self._patience:
            self._pages = 0
            self._at -= 1
