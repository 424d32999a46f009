"""What a verification has found so far, page by page, so that a saved place and its counts belong together.

A page counts for good once each of its suspicions is settled, and every page before it in its segment too. A crash
costs the pages after that, which are compared again and counted once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.model import ItemKey
from service.operations.documents.jobs import Verification
from service.operations.jobs.scan_position import ScanPosition
from service.operations.verification.comparison import Kind

SHOWN_KEYS = 100
SHOWN_KEYS_BYTES = 200_000
"""Keys have up to 3 KB (Developer Guide, "Service quotas": 2048 and 1024 bytes), a job's document about 400 KB."""


@dataclass(slots=True)
class PageCounts:
    read: int = 0
    compared: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    repaired: int = 0
    keys: list[tuple[ItemKey, Kind]] = field(default_factory=list)
    """The first differing ones."""
    _keys_bytes: int = 0

    def note(self, key: ItemKey, kind: Kind, *, is_repaired: bool) -> None:
        """A difference that counts."""
        if kind is Kind.MISSING:
            self.missing += 1
        elif kind is Kind.DIFFERENT:
            self.different += 1
        else:
            self.extra += 1
            self.compared += 1
        self.repaired += is_repaired
        self._show(key, kind)

    def add(self, other: PageCounts) -> None:
        self.read += other.read
        self.compared += other.compared
        self.missing += other.missing
        self.extra += other.extra
        self.different += other.different
        self.repaired += other.repaired
        for key, kind in other.keys:
            self._show(key, kind)

    def _show(self, key: ItemKey, kind: Kind) -> None:
        if len(self.keys) < SHOWN_KEYS and self._keys_bytes + len(key) <= SHOWN_KEYS_BYTES:
            self._keys_bytes += len(key)
            self.keys.append((key, kind))

    @classmethod
    def of(cls, job: Verification) -> PageCounts:
        """Where a job that goes on left off."""
        counts = cls(
            read=job.items_read,
            compared=job.items_compared,
            missing=job.missing,
            extra=job.extra,
            different=job.different,
            repaired=job.repaired,
        )
        for shown in job.differing_keys:
            counts._show(ItemKey(orjson.dumps(shown["key"])), Kind(shown["kind"]))
        return counts

    def shown_in(self, job: Verification) -> Verification:
        """The job's document with these counts."""
        return job.model_copy(
            update={
                "items_read": self.read,
                "items_compared": self.compared,
                "missing": self.missing,
                "extra": self.extra,
                "different": self.different,
                "repaired": self.repaired,
                "differing_keys": [{"key": orjson.loads(key), "kind": kind.value} for key, kind in self.keys],
            }
        )


class OpenPage:
    """A page of a scan that is being compared, or of which suspicions are left."""

    __slots__ = ("next_key", "segment", "table", "counts", "unsettled")

    def __init__(self, table: str, segment: int, next_key: ItemKey | None) -> None:
        self.table = table
        self.segment = segment
        self.next_key = next_key
        self.counts = PageCounts()
        self.unsettled = 1
        """Its suspicions, and one for the comparing itself."""


class Ledger:
    """All pages of one verification. Owned by its run."""

    def __init__(self, place: Mapping[str, Any], counted: PageCounts) -> None:
        self.place = ScanPosition(place)
        self.counted = counted
        """What counts for good, and is saved with the place."""
        self._open: dict[tuple[str, int], deque[OpenPage]] = {}

    def open(self, table: str, segment: int, next_key: ItemKey | None) -> OpenPage:
        """Pages of a segment are opened in the order of the scan."""
        page = OpenPage(table, segment, next_key)
        self._open.setdefault((table, segment), deque()).append(page)
        return page

    def settle(self, page: OpenPage) -> None:
        """One of its suspicions, or the comparing itself, is done."""
        page.unsettled -= 1
        pages = self._open[page.table, page.segment]
        while pages and not pages[0].unsettled:
            done = pages.popleft()
            self.counted.add(done.counts)
            self.place.move(done.table, done.segment, done.next_key)

    def found(self) -> PageCounts:
        """Everything up to now, the open pages included."""
        found = PageCounts()
        found.add(self.counted)
        for pages in self._open.values():
            for page in pages:
                found.add(page.counts)
        return found
