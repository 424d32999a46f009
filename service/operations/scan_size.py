"""How many items of a scan are asked for at once: as many as the table gives, until answers get lost.

A table that takes longer for a page than a request may take would never answer, however often the same is asked of it:
then less is asked for. A crash costs nothing: the next scan begins with whole pages again.
"""

from __future__ import annotations

from service.errors import AmbiguousError, UnavailableError
from service.model import ItemKey, ScanPage
from service.ports import Table

MOST = 1000
"""Of the pages that are asked for after an answer was lost, 1 MB with items of 1 KB: as many as DynamoDB gives."""
LEAST = 25
GROWS_AFTER_PAGES = 8


class ScanSize:
    """Shared by the segments of one job's scans."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._pages = 0

    async def scan(
        self, table: Table, segment: int, segments: int, after: ItemKey | None, at_most: int | None = None
    ) -> ScanPage:
        """One page, of `at_most` so many items. May be repeated after a RetryableError: it asks for less then."""
        limits = [limit for limit in (self._limit, at_most) if limit is not None]
        try:
            page = await table.scan(segment, segments, after, min(limits, default=None))
        except (AmbiguousError, UnavailableError):
            self._shrink()
            raise
        self._answered()
        return page

    def _shrink(self) -> None:
        self._pages = 0
        self._limit = MOST if self._limit is None else max(LEAST, self._limit // 2)

    def _answered(self) -> None:
        self._pages += 1
        if self._limit is not None and self._pages >= GROWS_AFTER_PAGES:
            self._pages = 0
            self._limit = min(MOST, self._limit * 2)
