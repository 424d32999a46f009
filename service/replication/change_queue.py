"""The bounded hand-over from the readers to the lanes (I4).

The bound holds for everything that was read and is not settled: a change keeps its room until `release`, wherever it
waits by then. A full queue stops the readers; nothing is dropped. `close` carries the stop through the flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from service.model import Change

_PAGES_BESIDE = range(2, 9)
"""At least two: one shard that does not answer keeps no other one waiting."""
_PAGE_BYTES = 1024 * 1024  # API reference, GetRecords: at most 1 MB


class ChangeQueue:
    """Many readers put, one consumer gets. All state belongs to the event loop's thread."""

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.records = 0
        self.bytes = 0
        self._waiting: list[Change] = []
        self._turn = asyncio.Lock()
        self._has_changes = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_closed = False

    @property
    def pages_beside(self) -> int:
        """So many pages may be asked for, or wait for room: memory beyond the bound is bounded too, by the bound."""
        return max(_PAGES_BESIDE[0], min(_PAGES_BESIDE[-1], self.max_bytes // _PAGE_BYTES))

    async def put(self, changes: Sequence[Change]) -> None:
        """Hand over all of them, in order, as room comes free. First come, first served: no reader starves."""
        async with self._turn:
            start = 0
            while start < len(changes):
                await self._has_room.wait()
                start = self._admit(changes, start)

    def _admit(self, changes: Sequence[Change], start: int) -> int:
        """Take what fits from `start` on; returns where the rest begins. A change that fits nowhere goes alone."""
        end, records, size = start, self.records, self.bytes
        for change in changes[start:] if start else changes:
            if records and (records >= self.max_records or size + change.size > self.max_bytes):
                self._has_room.clear()
                break
            records += 1
            size += change.size
            end += 1
        self.records, self.bytes = records, size
        if end > start:
            self._waiting.extend(changes[start:end])
            self._has_changes.set()
        return end

    async def wait_for_room(self) -> None:
        """Until a further change could be taken: a reader waits here before it asks for a page."""
        while self.is_full:
            self._has_room.clear()
            await self._has_room.wait()

    @property
    def is_full(self) -> bool:
        return self.records >= self.max_records or self.bytes >= self.max_bytes

    async def get(self) -> list[Change]:
        """All that waits, in order; an empty list once the queue is closed and empty."""
        while not self._waiting and not self._is_closed:
            self._has_changes.clear()
            await self._has_changes.wait()
        taken, self._waiting = self._waiting, []
        return taken

    def release(self, records: int, size: int) -> None:
        """These changes are settled: their room is free."""
        self.records -= records
        self.bytes -= size
        if not self.is_full:
            self._has_room.set()

    def close(self) -> None:
        """No reader will put any more. May be repeated."""
        self._is_closed = True
        self._has_changes.set()
