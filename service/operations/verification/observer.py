"""How a verification looks at the tables, and mends: inside the running flow, or from a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from service.errors import ChangeError
from service.model import Change, Effect, ItemKey
from service.operations.verification.comparison import Comparison
from service.replication.job_flow import JobFlow

Answer = TypeVar("Answer")

STREAM_BEHIND_SECONDS = 5.0
"""A change is taken to be in the stream so long after it was made, by whichever clock. DynamoDB calls that "near real
time" (Developer Guide, "Change data capture for DynamoDB Streams"), and gives no number."""


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


class FlowLooks:
    """From inside the running service. A context: the stream is watched while it is entered."""

    early_look_seconds = float("inf")

    def __init__(self, flow: JobFlow, comparison: Comparison) -> None:
        self._flow = flow
        self._comparison = comparison
        self._brought: dict[ItemKey, ObservedChanges] = {}

    def __enter__(self) -> FlowLooks:
        self._flow.lanes.watchers.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._flow.lanes.watchers.remove(self._note)

    def _note(self, changes: Sequence[Change]) -> None:
        brought = self._brought
        if not brought:
            return
        for change in changes:
            if change.key in brought:
                is_known = change.image is not None or change.effect is Effect.DELETE
                mark = self._comparison.mark_of(change.image) if is_known else None
                brought[change.key] = ObservedChanges(brought[change.key].changes + 1, mark)

    @property
    def settled_up_to(self) -> float:
        return self._flow.settled_up_to - STREAM_BEHIND_SECONDS

    def watch(self, keys: Sequence[ItemKey]) -> None:
        self._brought.update(dict.fromkeys(keys, ObservedChanges()))

    def forget(self, key: ItemKey) -> None:
        del self._brought[key]

    def brought(self, key: ItemKey) -> ObservedChanges:
        return self._brought[key]

    async def read(self, call: Callable[[], Awaitable[Answer]], target: str) -> Answer:
        """Not in a pause: then neither table is read on."""

        async def when_open() -> Answer:
            await self._flow.gate.until_open()
            return await call()

        return await self._flow.requests.read(when_open, target)

    async def mend(self, key: ItemKey) -> bool:
        """At the key's turn in its lane."""
        try:
            await self._flow.lanes.run(key, lambda: self._flow.guard.refresh_beside(key))
        except ChangeError:
            return False
        return True
