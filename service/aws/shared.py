"""Things that several use at once: opened when first needed, closed with the last user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


@dataclass(slots=True)
class _Entry(Generic[Thing]):
    users: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    opened: list[Thing] = field(default_factory=list)
    """One, once it is open."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


class Shared(Generic[Key, Thing]):
    """One thing for each key. All state belongs to the event loop's thread."""

    def __init__(self, open_thing: Callable[[Key], AbstractAsyncContextManager[Thing]]) -> None:
        self._open_thing = open_thing
        self._entries: dict[Key, _Entry[Thing]] = {}

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._entries)

    @asynccontextmanager
    async def use(self, key: Key) -> AsyncIterator[Thing]:
        """The key's thing, until the block ends. Raises what its opening raises; the next user opens it again."""
        entry = self._entries.setdefault(key, _Entry())
        entry.users += 1
        try:
            async with entry.opening:
                if not entry.opened:
                    entry.opened.append(await entry.closing.enter_async_context(self._open_thing(key)))
            yield entry.opened[0]
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]
                await entry.closing.aclose()
