"""Which keys the stream has brought while a page of a scan was on its way.

An item of that page is older than what the stream brought since the page was asked for: it must be dropped, or it
could bring a deleted item back (E66). Keys are remembered only while a page is on its way: bounded.
"""

from __future__ import annotations

from service.model import ItemKey

FORGET_EVERY_PAGES = 16


class ScanBarrier:
    """Owned by the guard, which notes every key it is about to judge; scans open and close pages."""

    def __init__(self) -> None:
        self._now = 0
        self._open: dict[int, int] = {}
        """Pages on their way: by number, the moment at which each was asked for."""
        self._last: dict[ItemKey, int] = {}
        self._pages = 0

    def open_page(self) -> int:
        """A page is about to be asked for; returns its number."""
        self._pages += 1
        self._now += 1
        self._open[self._pages] = self._now
        return self._pages

    def close_page(self, page: int) -> None:
        """Every item of the page is written or dropped."""
        del self._open[page]
        if page % FORGET_EVERY_PAGES == 0 or not self._open:
            self._forget_old()

    def note(self, key: ItemKey) -> None:
        """Something newer than any open page is being brought for this key."""
        if self._open:
            self._last[key] = self._now

    def has_brought(self, key: ItemKey, page: int) -> bool:
        """Since the page was asked for."""
        return self._last.get(key, -1) >= self._open[page]

    def _forget_old(self) -> None:
        """Keys that were brought before the oldest open page was asked for count for nobody."""
        oldest = min(self._open.values(), default=self._now + 1)
        self._last = {key: moment for key, moment in self._last.items() if moment >= oldest}
