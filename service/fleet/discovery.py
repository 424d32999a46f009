"""Which tables `[discover]` asks for: by the pattern of their name, by their tags, or by both.

Nothing but reads, one after the other and slowly: it runs beside pipelines that use the same account's limits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from service.adapters import at_start
from service.configuration.fleet_file import Discover
from service.configuration.fleet_plan import DiscoveredTable
from service.model import TableDescription
from service.ports import Clock

Answer = TypeVar("Answer")
# API reference, ListTagsOfResource: up to 10 times per second, per account; half of it is left to others. For
# ListTables and DescribeTable there is no number; they take the same rate.
SECONDS_A_REQUEST = 0.2


class TableList(Protocol):
    """The tables of one account and region. Each call is one request. Raises RetryableError, HaltError."""

    async def names(self, after: str | None) -> tuple[list[str], str | None]:
        """A page of names, and where the next one begins; None at the end."""

    async def describe(self, name: str) -> TableDescription | None:
        """None: it is gone."""

    async def tags(self, table: TableDescription, after: str | None) -> tuple[dict[str, str], str | None]:
        """A page of them, as `names`."""


async def discover(tables: TableList, wanted: Discover, clock: Clock) -> list[DiscoveredTable]:
    """All that match, with a stream or without. Raises HaltError: it is refused, or answers stay lost."""
    looking = _Looking(tables, clock)
    found = []
    async for names in looking.pages(tables.names):
        for name in filter(wanted.matches, names):
            table = await looking.ask(partial(tables.describe, name))
            if table is None or table.status == "DELETING":
                continue
            if not wanted.source_tags or wanted.source_tags.items() <= (await looking.tags(table)).items():
                found.append(DiscoveredTable(name, has_stream=table.stream_arn is not None))
    return found


class _Looking:
    def __init__(self, tables: TableList, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._next_at = clock.monotonic()

    async def ask(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """In its turn; again while its answer is lost."""
        await self._clock.sleep(self._next_at - self._clock.monotonic())
        self._next_at = self._clock.monotonic() + SECONDS_A_REQUEST
        return await at_start(self._clock, request)

    async def pages(self, page: Callable[[str | None], Awaitable[tuple[Answer, str | None]]]) -> AsyncIterator[Answer]:
        after: str | None = None
        while True:
            found, after = await self.ask(partial(page, after))
            yield found
            if after is None:
                return

    async def tags(self, table: TableDescription) -> dict[str, str]:
        found: dict[str, str] = {}
        async for tags in self.pages(partial(self._tables.tags, table)):
            found |= tags
        return found
