"""A table in memory that can be read: what the source and the replica have in common."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence

from service.errors import AmbiguousError, RefusedError
from service.model import Image, ItemKey, KeyAttribute, ScanPage, TableDescription
from tests.fakes.clock import Jitter
from tests.fakes.images import STRING_KEY, Item, item_of, key_of

_PAGE_BYTES = 1024 * 1024  # a Scan's page ends at 1 MB (API reference, Scan)


class FakeTable:
    """ports.Table. Each call takes effect at one moment, between two pauses; `calls` counts them."""

    def __init__(
        self,
        name: str,
        keys: Sequence[KeyAttribute] = STRING_KEY,
        *,
        region: str = "us-west-2",
        jitter: Jitter | None = None,
    ) -> None:
        self.name = name
        self.keys = tuple(keys)
        self.region = region
        self.arn = f"arn:aws:dynamodb:{region}:123456789012:table/{name}"
        self.items: dict[ItemKey, Image] = {}
        self.calls: Counter[str] = Counter()
        self.is_missing = False
        self.table_id = f"{name}-1"
        self.indexes: dict[str, tuple[KeyAttribute, ...]] = {}
        """The keys of its secondary indexes, as DescribeTable tells them."""
        self.described_keys = self.keys
        """A test may have the table described with another key than it has."""
        self.page_bytes = _PAGE_BYTES
        """A test may cut a scan's pages shorter."""
        self.scan_seconds = 0.0
        """How long a scan's page is on its way, growing old."""
        self.most_in_time = 10**9
        """Of a page with more items the answer is lost: the table takes too long for it."""
        self._jitter = jitter or Jitter()

    async def describe(self) -> TableDescription:
        await self._begin("describe")
        description = self._description()
        await self._jitter.pause()
        return description

    async def get(self, key: ItemKey) -> Image | None:
        await self._begin("get")
        image = self.items.get(key)
        await self._jitter.pause()
        return image

    async def get_many(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Image]:
        assert 1 <= len(keys) <= 100, f"the service refuses a BatchGetItem of {len(keys)} keys"
        assert len(set(keys)) == len(keys), "the service refuses a BatchGetItem with a key twice"
        await self._begin("get_many")
        found = {key: self.items[key] for key in keys if key in self.items}
        await self._jitter.pause()
        return found

    async def scan(self, segment: int, segments: int, after: ItemKey | None, limit: int | None = None) -> ScanPage:
        assert 0 <= segment < segments
        assert limit is None or limit >= 1
        await self._begin("scan")
        page = self._page(segment, segments, after, limit)
        await self._jitter.pause()
        if self.scan_seconds:
            await asyncio.sleep(self.scan_seconds)
        if len(page.items) > self.most_in_time:
            raise AmbiguousError("the answer took too long", "AnswerLost")
        return page

    def item(self, key: Item) -> dict[str, object] | None:
        """A test's look at an item, by a key in DynamoDB JSON."""
        image = self.items.get(self.key(key))
        return None if image is None else item_of(image)

    def key(self, item: Item) -> ItemKey:
        return key_of(item, self.keys)

    def _page(self, segment: int, segments: int, after: ItemKey | None, limit: int | None) -> ScanPage:
        start = None if after is None else _place(after)
        places = sorted(_place(key) for key in self.items if _place(key)[0] % segments == segment)
        page: list[tuple[ItemKey, Image]] = []
        size = 0
        for place in places:
            if start is not None and place <= start:
                continue
            if page and (size >= self.page_bytes or len(page) == limit):
                return ScanPage(page, page[-1][0], size)
            page.append((place[1], self.items[place[1]]))
            size += len(page[-1][1])
        # A page that ends exactly at its limit names a key, though nothing follows (API reference, Scan).
        is_cut = limit is not None and len(page) == limit
        return ScanPage(page, page[-1][0] if is_cut else None, size)

    def _description(self) -> TableDescription:
        return TableDescription(
            self.name,
            self.arn,
            self.region,
            self.described_keys,
            item_count=len(self.items),
            table_id=self.table_id,
            indexes=dict(self.indexes),
        )

    async def _begin(self, call: str) -> None:
        self.calls[call] += 1
        await self._jitter.pause()
        if self.is_missing:
            raise RefusedError(f"the table {self.name} does not exist", "ResourceNotFoundException")


def _place(key: ItemKey) -> tuple[int, ItemKey]:
    """Where a key lies in a scan: hashed, as in DynamoDB, in an order that means nothing."""
    return zlib.crc32(key), key
