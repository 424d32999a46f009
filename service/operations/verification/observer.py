"""How a verification looks at the tables, and mends: inside the running flow, or from a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from service.model import ItemKey

Answer = TypeVar("Answer")


class ObservedChanges(NamedTuple):
    """What the stream has brought for a watched key."""

    changes: int = 0
    mark: bytes | None = None
    """Of the item that the last change left in the replica (Comparison.mark_of); None where nobody can tell."""


class StreamObserver(Protocol):
    @property
    def settled_up_to(self) -> float:
        """Every change made before that moment has reached the replica, as far as it ever will (epoch seconds)."""

    early_look_seconds: float
    """From when on it is worth looking at a suspicion before it is settled; infinite: never."""

    def watch(self, keys: Sequence[ItemKey]) -> None:
        """Count, from now on, what the stream brings for these keys."""

    def forget(self, key: ItemKey) -> None: ...

    def brought(self, key: ItemKey) -> ObservedChanges:
        """Since the key is watched; nothing where nobody can tell."""

    async def read(self, call: Callable[[], Awaitable[Answer]], target: str) -> Answer:
        """One read of a table, waiting out what passes."""

    async def mend(self, key: ItemKey) -> bool:
        """Bring the source's present state of the item; False if the replica will not take it.

        Having it already is being mended too: the answer to our own write may have got lost.
        """
