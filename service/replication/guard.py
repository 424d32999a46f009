"""Guarded writes (I3): a change that may have been applied before never takes the replica back.

Each item that the stream wrote carries the sequence number that made it. A guarded write has the condition "the
item's number is older"; when that fails, what the replica holds decides, and where that carries no number, what the
source holds now. Nothing deleted comes back, without tombstones: a put onto an absent item is made only while the
source still holds exactly its image.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

from service.errors import ItemTooLargeError
from service.items import same_item, sequence_of
from service.model import (
    Absent,
    AsSeen,
    Change,
    Condition,
    Delete,
    Image,
    ItemKey,
    Older,
    Put,
    Seen,
    SequenceNumber,
    Written,
)
from service.ports import ReplicaTable, Table
from service.replication.brought import Brought
from service.replication.guard_window import GuardWindow
from service.replication.requests import Requests
from service.replication.shape import Dressing, Shape
from service.telemetry import Observer, Warned

NOTHING: frozenset[str] = frozenset()


class Outcome(enum.Enum):
    """What a guarded write came to; each of them settles the change."""

    WRITTEN = "written"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    """The replica has exactly this already."""
    STALE = "stale"
    """The replica, or the source, is further on: a later record brings, or has brought, what counts."""

    @property
    def took_effect(self) -> bool:
        return self in (Outcome.WRITTEN, Outcome.DELETED)


class Guard:
    """Its calls are serialised per key by the lanes."""

    def __init__(
        self,
        *,
        source: Table,
        replica: ReplicaTable,
        shape: Shape,
        window: GuardWindow,
        requests: Requests,
        observer: Observer,
    ) -> None:
        self._source = source
        self._replica = replica
        self._shape = shape
        self._window = window
        self._requests = requests
        self._observer = observer
        self.brought = Brought()

    @property
    def shape(self) -> Shape:
        """What the replica's items look like."""
        return self._shape

    async def put(self, change: Change, raw: Image, projected: Image, *, is_live: bool = True) -> Outcome:
        """Bring this state, unless the replica or the source is further on. Raises ChangeError.

        `raw` is the source's image, `projected` what the replica should hold of it, without metadata. A replayed
        change is not live: it puts no number on an item whose content is right already.
        """
        self.brought.note(change.key)
        condition = self._first_condition(change)
        while True:
            if condition is None:
                seen = await self._look(change.key)
            else:
                answer = await self.write_dressed(change.key, projected, change.sequence, condition)
                if isinstance(answer, Written):
                    return Outcome.WRITTEN
                seen = answer.item
            number = self._number(seen)
            if number is not None and number > change.sequence:
                return Outcome.STALE
            is_same = seen is not None and same_item(seen, projected, self._shape.metadata)
            if is_same and (number is not None or not is_live or not self._shape.sequence_attribute):
                return Outcome.UNCHANGED
            if number == change.sequence:
                assert seen is not None
                condition = AsSeen(seen)  # damaged by a hand: mended, if it still is as it was seen
                continue
            if not await self._source_holds(change.key, raw):
                return Outcome.STALE
            as_seen = Absent() if seen is None else AsSeen(seen)
            number_to_write = change.sequence if is_live and self._window.note_match(change) else None
            if isinstance(await self.write_dressed(change.key, projected, number_to_write, as_seen), Written):
                return Outcome.WRITTEN
            condition = None

    async def delete(self, change: Change) -> Outcome:
        """Remove the item, unless the replica or the source is further on. Raises ChangeError."""
        self.brought.note(change.key)
        condition = self._first_condition(change)
        while True:
            if condition is None:
                seen = await self._look(change.key)
            else:
                answer = await self._delete_if(change.key, condition)
                if isinstance(answer, Written):
                    return Outcome.DELETED
                seen = answer.item
            if seen is None:
                return Outcome.UNCHANGED
            number = self._number(seen)
            if number is not None and number > change.sequence:
                return Outcome.STALE
            if await self._requests.read(lambda: self._source.get(change.key)) is not None:
                return Outcome.STALE
            condition = AsSeen(seen)

    async def refresh(self, key: ItemKey) -> Outcome:
        """Bring the source's present state of one item, whatever number the replica's carries. Raises ChangeError.

        What it writes carries no number, so that a change of this key that is still on its way is judged by the
        source; the caller has seen to it that such changes are guarded (GuardWindow.extend).
        """
        self.brought.note(key)
        while True:
            source = await self._requests.read(lambda: self._source.get(key))
            seen = await self._look(key)
            if source is None:
                if seen is None:
                    return Outcome.UNCHANGED
                if isinstance(await self._delete_if(key, AsSeen(seen)), Written):
                    return Outcome.DELETED
                continue
            projected = self._shape.project(source)
            if projected is None or (seen is not None and same_item(seen, projected, self._shape.metadata)):
                return Outcome.UNCHANGED
            condition = Absent() if seen is None else AsSeen(seen)
            if isinstance(await self.write_dressed(key, projected, None, condition), Written):
                return Outcome.WRITTEN

    async def copy(self, key: ItemKey, raw: Image, page: int) -> Outcome:
        """Bring an item of a scan's page, if the replica has none; one that differs is refreshed.

        Dropped (STALE) if the stream has brought the key since the page was asked for. Raises ChangeError.
        """
        if self.brought.has_brought(key, page):
            return Outcome.STALE
        projected = self._shape.project(raw)
        if projected is None:
            return Outcome.UNCHANGED
        answer = await self.write_dressed(key, projected, None, Absent())
        if isinstance(answer, Written):
            return Outcome.WRITTEN
        if answer.item is not None and same_item(answer.item, projected, self._shape.metadata):
            return Outcome.UNCHANGED
        return await self.refresh(key)

    async def write_dressed(
        self, key: ItemKey, projected: Image, sequence: SequenceNumber | None, condition: Condition | None
    ) -> Written | Seen:
        """One put, with as many metadata attributes as DynamoDB's size limit leaves room for (E43)."""
        for dressing in Dressing:
            write = Put(key, self._shape.dress(projected, sequence, dressing))
            try:
                return await self._requests.write(self._putting(write, condition))
            except ItemTooLargeError:
                if dressing is Dressing.BARE:
                    raise
                self._observer.observe(
                    Warned(
                        "item size",
                        "an item is so near DynamoDB's limit of 400 KB that it is written without some of the "
                        "metadata attributes",
                    )
                )
        raise AssertionError("the last dressing returns or raises")

    def _putting(self, write: Put, condition: Condition | None) -> Callable[[], Awaitable[Written | Seen]]:
        return lambda: self._replica.put(write, condition)

    async def _delete_if(self, key: ItemKey, condition: Condition) -> Written | Seen:
        return await self._requests.write(lambda: self._replica.delete(Delete(key), condition))

    async def _look(self, key: ItemKey) -> Image | None:
        return await self._requests.read(lambda: self._replica.get(key), "replica")

    async def _source_holds(self, key: ItemKey, raw: Image) -> bool:
        """The source holds exactly this image now, read consistently."""
        held = await self._requests.read(lambda: self._source.get(key))
        return held is not None and same_item(held, raw, NOTHING)

    def _first_condition(self, change: Change) -> Condition | None:
        """None when the item's number is not to be trusted, or there is none: then the replica is looked at first."""
        if not self._shape.sequence_attribute or self._window.distrusts(change):
            return None
        return Older(change.sequence)

    def _number(self, item: Image | None) -> SequenceNumber | None:
        if item is None or not self._shape.sequence_attribute:
            return None
        return sequence_of(item, self._shape.sequence_attribute)
