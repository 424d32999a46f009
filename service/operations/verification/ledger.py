"""What a verification has found so far, page by page, so that a saved place and its counts belong together.

A page counts for good once each of its suspicions is settled, and every page before it in its segment too. A crash
costs the pages after that, which are compared again and counted once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.model import ItemKey
from service.operations.documents.jobs import Verification
from service.operations.jobs.scan_position import ScanPosition
from service.operations.verification.comparison import Kind

COUNTED = ("items_read", "items_compared", "missing", "extra", "different", "repaired")
SHOWN_KEYS = 100
SHOWN_KEYS_BYTES = 200_000
"""Keys have up to 3 KB (Developer Guide, "Service quotas": 2048 and 1024 bytes), a job's document about 400 KB."""


class PageCounts:
    """By the names of the document's fields."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.keys: list[tuple[ItemKey, Kind]] = []
        """The first differing ones."""
        self._keys_bytes = 0

    def note(self, key: ItemKey, kind: Kind, *, is_repaired: bool) -> None:
        """A difference that counts."""
        self.counts[kind] += 1
        self.counts["items_compared"] += kind is Kind.EXTRA
        self.counts["repaired"] += is_repaired
        self._show(key, kind)

    def add(self, other: PageCounts) -> None:
        self.counts.update(other.counts)
        for key, kind in other.keys:
            self._show(key, kind)

    def _show(self, key: ItemKey, kind: Kind) -> None:
        if len(self.keys) < SHOWN_KEYS and self._keys_bytes + len(key) <= SHOWN_KEYS_BYTES:
            self._keys_bytes += len(key)
            self.keys.append((key, kind))

    @classmethod
    def of(cls, job: Verification) -> PageCounts:
        """Where a job that goes on left off."""
        found = cls()
        found.counts.update({name: getattr(job, name) for name in COUNTED})
        for shown in job.differing_keys:
            found._show(ItemKey(orjson.dumps(shown["key"])), Kind(shown["kind"]))
        return found

    def shown_in(self, job: Verification) -> Verification:
        """The job's document with these counts."""
        counts = {name: self.counts[name] for name in COUNTED}
        keys = [{"key": orjson.loads(key), "kind": kind.value} for key, kind in self.keys]
        return job.model_copy(update={**counts, "differing_keys": keys})


@dataclass(eq=False, slots=True)
class OpenPage:
    """A page of a scan that is being compared, or of which suspicions are left."""

    table: str
    segment: int
    next_key: ItemKey | None
    found: PageCounts = field(default_factory=PageCounts)
    unsettled: int = 1
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
            self.counted.add(done.found)
            self.place.move(done.table, done.segment, done.next_key)

    def found(self) -> PageCounts:
        """Everything up to now, the open pages included."""
        found = PageCounts()
        found.add(self.counted)
        for pages in self._open.values():
            for page in pages:
                found.add(page.found)
        return found
