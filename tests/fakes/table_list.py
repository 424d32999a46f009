"""An account's tables as far as discovery asks for them, in pages of a few."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.configuration.settings import Settings
from service.errors import DynamirrorError
from service.model import TableDescription


@dataclass
class FakeTableList:
    """fleet.discovery.TableList. `asked` notes each request; a test may have the next ones fail."""

    tables: dict[str, dict[str, str]]
    """The tags of each."""
    without_stream: set[str] = field(default_factory=set)
    page: int = 2
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    faults: list[DynamirrorError] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Still listed."""
    status: str = "ACTIVE"
    opened_for: list[Settings] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[FakeTableList]:
        self.opened_for.append(settings)
        yield self

    async def names(self, after: str | None) -> tuple[list[str], str | None]:
        self._begin("names", after)
        return self._page(sorted(self.tables), after)

    async def describe(self, name: str) -> TableDescription | None:
        self._begin("describe", name)
        if name in self.gone:
            return None
        arn = f"arn:aws:dynamodb:us-west-2:123456789012:table/{name}"
        stream = None if name in self.without_stream else f"{arn}/stream/1"
        return TableDescription(name, arn, "us-west-2", (), stream, status=self.status)

    async def tags(self, table: TableDescription, after: str | None) -> tuple[dict[str, str], str | None]:
        self._begin("tags", table.name)
        tags = self.tables[table.name]
        names, following = self._page(sorted(tags), after)
        return {name: tags[name] for name in names}, following

    def _begin(self, what: str, of: str | None) -> None:
        self.asked.append((what, of))
        if self.faults:
            raise self.faults.pop(0)

    def _page(self, names: list[str], after: str | None) -> tuple[list[str], str | None]:
        rest = [name for name in names if after is None or name > after]
        return rest[: self.page], rest[self.page - 1] if len(rest) > self.page else None
