"""One verification: both tables scanned and compared by key and content, in bounded memory (I3, E71, E72).

Two tables with the same keys may lie in a different order, so that their segments do not line up. The first pass scans
the source and fetches the replica's items of each page; it finds what is missing or different. The second scans the
replica and fetches the source's; it finds what is extra. Where the replica keeps what the source's TTL removed
(DYNAMIRROR_SKIP_TTL_DELETES), having more is no difference, and there is no second pass.

A crash costs the pages whose suspicions were not settled yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from service.errors import first_of
from service.model import Image, ItemKey, ScanPage
from service.operations.documents.jobs import Verification
from service.operations.jobs.scan_throttle import ScanThrottle
from service.operations.verification.comparison import Comparison, is_in_sample
from service.operations.verification.ledger import Ledger, OpenPage, PageCounts
from service.operations.verification.observer import StreamObserver
from service.operations.verification.suspects import Suspects
from service.ports import Adapters, Clock
from service.replication.requests.batches import get_batches

MAX_PAGE_ITEMS = 1000


class ReadRate:
    """So many items a second; 0 is as fast as it goes."""

    def __init__(self, clock: Clock, items_per_second: float) -> None:
        self._clock = clock
        self._items_per_second = items_per_second
        self._free_at = float("-inf")

    @property
    def page_items(self) -> int | None:
        """How many items to ask for at once: about a second's worth."""
        if not self._items_per_second:
            return None
        return max(1, min(MAX_PAGE_ITEMS, int(self._items_per_second)))

    async def take(self, items: int) -> None:
        """Wait until that many more may be read, having read them."""
        if not self._items_per_second:
            return
        now = self._clock.monotonic()
        self._free_at = max(now, self._free_at) + items / self._items_per_second
        await self._clock.sleep(self._free_at - now)


class VerificationRun:
    """The work on one job in one process. `run` is called once."""

    def __init__(
        self,
        *,
        job: Verification,
        place: Mapping[str, Any],
        adapters: Adapters,
        looks: StreamObserver,
        comparison: Comparison,
        items_per_second: float = 0.0,
        until_turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`until_turn` is awaited before each page."""
        self.job = job
        self._until_turn = until_turn
        self._adapters = adapters
        self._looks = looks
        self._comparison = comparison
        self._pressure = ScanThrottle()
        self._rate = ReadRate(adapters.clock, items_per_second)
        self._ledger = Ledger(place, PageCounts.of(job))
        self._suspicions = Suspects(
            adapters=adapters,
            looks=looks,
            comparison=comparison,
            settle=self._ledger.settle,
            repairs=job.repair,
        )

    async def run(self, beside: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """To the end; `beside` goes on until then, such as what saves. Raises LeaseLostError, HaltError."""
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._suspicions.judge(), name="verification suspicions")]
                if beside is not None:
                    others.append(tasks.create_task(beside(), name="verification progress"))
                await self._compare_all("source")
                if not self._comparison.keeps_extra:
                    await self._compare_all("replica")
                await self._suspicions.until_none()
                for task in others:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors

    def shown(self) -> Verification:
        """The job as it is now."""
        return self._ledger.found().shown_in(self.job)

    def saved(self) -> tuple[Verification, dict[str, Any]]:
        """The counts that belong to the place, and the place: from where a restart goes on."""
        return self._ledger.counted.shown_in(self.job), self._ledger.place.saved()

    async def _compare_all(self, table: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for segment in self._ledger.place.unfinished(table):
                tasks.create_task(self._compare_segment(table, segment), name=f"verify {table} {segment}")

    async def _compare_segment(self, table: str, segment: int) -> None:
        start = self._ledger.place.start_of(table, segment)
        while True:
            if self._until_turn is not None:
                await self._until_turn()
            page = await self._page(table, segment, start)
            open_page = self._ledger.open(table, segment, page.next_key)
            open_page.found.counts["items_read"] += len(page.items)
            await self._compare_page(page, open_page)
            self._ledger.settle(open_page)
            await self._rate.take(len(page.items))
            if page.next_key is None:
                return
            start = page.next_key

    async def _page(self, table: str, segment: int, start: ItemKey | None) -> ScanPage:
        scanned = self._adapters.source if table == "source" else self._adapters.replica
        segments, limit = self._ledger.place.segments, self._rate.page_items
        return await self._looks.read(lambda: self._pressure.scan(scanned, segment, segments, start, limit), table)

    async def _compare_page(self, page: ScanPage, open_page: OpenPage) -> None:
        sample = self.job.sample
        items = page.items if sample is None else [item for item in page.items if is_in_sample(item[0], sample)]
        for some in get_batches(items):
            if open_page.table == "source":
                suspicious = await self._unlike_replica(some)
                open_page.found.counts["items_compared"] += len(some)
            else:
                suspicious = await self._unknown_to_source(some)
            if suspicious:
                await self._suspicions.add(suspicious, open_page)

    async def _unlike_replica(self, items: Sequence[tuple[ItemKey, Image]]) -> list[ItemKey]:
        keys = [key for key, _ in items]
        held = await self._looks.read(lambda: self._adapters.replica.get_many(keys), "replica")
        await self._comparison.prepare(image for _, image in items)
        return [key for key, image in items if self._comparison.difference(image, held.get(key)) is not None]

    async def _unknown_to_source(self, items: Sequence[tuple[ItemKey, Image]]) -> list[ItemKey]:
        keys = [key for key, _ in items]
        held = await self._looks.read(lambda: self._adapters.source.get_many(keys), "source")
        return [key for key in keys if key not in held]  # what both hold was compared from the other side
