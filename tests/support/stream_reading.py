"""A stream's changes, read as far as a test wants them."""

from __future__ import annotations

import asyncio

from service.model import Change, ShardId
from service.ports import Streams
from tests.support.patience import PATIENCE_SECONDS

PAUSE_SECONDS = 0.2


async def read_until(
    streams: Streams, shard_id: ShardId, iterator: str, wanted: int, limit: int = 1000
) -> tuple[list[Change], str]:
    """The changes up to the first empty page after the wanted ones, and the iterator that it came with.

    On AWS a change comes some time after its write, and empty pages come before it. Raises TimeoutError.
    """
    changes: list[Change] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = await streams.read(shard_id, iterator, limit)
            assert len(page.changes) <= limit
            assert page.unreadable == []
            assert page.next_iterator is not None
            changes += page.changes
            iterator = page.next_iterator
            if not page.changes and len(changes) >= wanted:
                return changes, iterator
            if not page.changes:
                await asyncio.sleep(PAUSE_SECONDS)
