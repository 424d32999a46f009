"""Guarded writes (I3): a change that may have been applied before never takes the replica back.

Each item that the stream wrote carries the sequence number that made it. A guarded write has the condition "the
item's number is older"; when that fails, what the replica holds decides, and where that carries no number or a higher
one, what the source holds now: a number counts only within the stream that gave it, and the item may carry one of
another stream. Nothing deleted comes back, without tombstones: a put onto an absent item is made only while the source
still holds exactly its image.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.dynamodb_json.items import same_item, sequence_of
from service.errors import ChangeError
from service.model import Absent, AsSeen, Change, Condition, Image, ItemKey, Older, SequenceNumber, Written
from service.replication.writing.desired_state import INSERT
from service.replication.writing.item_shape import Shape
from service.replication.writing.item_writes import ItemWrites
from service.replication.writing.prefetch import Looked, Refusals
from service.replication.writing.scan_barrier import ScanBarrier
from service.replication.writing.write_context import WriteContext, WritePart

MAX_LOOKS_AGAIN = 10
"""After so many writes of one key, whose source has changed each time, its next records bring what counts."""


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


def same_or_none(one: Image | None, other: Image | None) -> bool:
    """Whether both are the same item, or both are no item (None)."""
    if one is None or other is None:
        return one is other
    return same_item(one, other)


class Guard(WritePart):
    """Its calls are serialised per key by the lanes."""

    def __init__(self, context: WriteContext) -> None:
        super().__init__(context)
        self._is_archive = context.is_archive
        self.writes = ItemWrites(context)
        self.brought = ScanBarrier()
        self._refusals = Refusals()

    def wants_look(self, group: Sequence[Change]) -> bool:
        """Whether a key's changes, oldest first, are better judged by a look at both tables before the write.

        So is what the replica hardly has yet, a creation, and what it has refused often of late: a catch-up.
        """
        newest = group[-1]
        if newest.key in self._doubts:
            return False  # what was seen may change at any moment
        if self._refusals.are_frequent or self._first_condition(newest) is None:
            return True
        return newest.event_name == INSERT or (len(group) > 1 and any(each.event_name == INSERT for each in group))

    @property
    def shape(self) -> Shape:
        """What the replica's items look like."""
        return self._shape

    async def put(
        self, change: Change, raw: Image, projected: Image, looked: Looked | None = None, *, is_live: bool = True
    ) -> Outcome:
        """Bring this state, unless the replica or the source is further on. Raises ChangeError.

        `raw` is the source's image, `projected` what the replica should hold of it, without metadata; `looked`, which
        must be fresh, saves the first looks. A replayed change is not live: it puts no number on an item whose content
        is right already.
        """
        self.brought.note(change.key)
        condition = self._first_condition(change, looked)
        while True:
            if condition is None:
                seen = looked.replica if looked else await self._look(change.key)
            else:
                answer = await self.writes.put(change.key, projected, change.sequence, condition)
                self._refusals.note_answer(condition, answer)
                if isinstance(answer, Written):
                    return Outcome.WRITTEN
                seen, looked = answer.item, None
            number = self._number(seen)
            is_ahead = number is not None and number > change.sequence
            is_same = seen is not None and self._shape.is_same(projected, seen)
            if is_same and (is_ahead or not (is_live and self._lacks_number(change, number))):
                return Outcome.STALE if is_ahead else Outcome.UNCHANGED
            if number == change.sequence:
                assert seen is not None
                condition = AsSeen(seen)  # damaged by a hand: mended, if it still is as it was seen
                continue
            if not await self._source_holds(change.key, raw, looked):
                return await self._overtaken(change.key)
            self.brought.note(change.key)  # again: a page that was asked for meanwhile may be older than that look
            as_seen = Absent() if seen is None else AsSeen(seen)
            has_number = self._window.remember_source_write(change, self._clock.now()) and is_live
            number_to_write = change.sequence if has_number else None
            if isinstance(await self.writes.put(change.key, projected, number_to_write, as_seen), Written):
                return Outcome.WRITTEN
            condition = looked = None

    async def delete(self, change: Change, looked: Looked | None = None, *, raw: Image | None = None) -> Outcome:
        """Remove the item, unless the replica or the source is further on. Raises ChangeError.

        `raw` is the source's image, where it has one that does not belong in the replica.
        """
        if self._window.guards_all and (seconds := self._doubts.birth_seconds(change.key)):
            await self._clock.sleep(seconds)  # a lost creation that took effect after this would bring the item back
        self.brought.note(change.key)
        condition = self._first_condition(change, looked)
        while True:
            if condition is None:
                seen = looked.replica if looked else await self._look(change.key)
            else:
                answer = await self.writes.delete(change.key, condition)
                self._refusals.note_answer(condition, answer)
                if isinstance(answer, Written):
                    return Outcome.DELETED
                seen, looked = answer.item, None
            if seen is None:
                return Outcome.UNCHANGED
            if raw is None and self._is_archive and self.is_ahead(change, seen):
                return Outcome.STALE  # that the source holds nothing confirms nothing here
            if not await self._source_holds(change.key, raw, looked):
                return await self._overtaken(change.key)
            self.brought.note(change.key)
            self._window.remember_source_write(change, self._clock.now())
            condition = AsSeen(seen)

    async def _overtaken(self, key: ItemKey) -> Outcome:
        """The source has a newer state: a later stream record will deliver it.

        Where the source judges every change, a key that is written all the time would never be brought so: there its
        present state is, at once. A deletion is left to its record, which a filter may leave out.
        """
        if not self._window.is_shared:
            return Outcome.STALE
        try:
            return await self.refresh(key, deletes=False)
        except ChangeError:
            return Outcome.STALE  # that state's own record becomes a dead letter

    def is_ahead(self, change: Change, seen: Image) -> bool:
        """The replica's item carries a higher number. It counts only within the stream that gave it."""
        number = self._number(seen)
        return number is not None and number > change.sequence

    @asynccontextmanager
    async def ahead_of_stream(self) -> AsyncIterator[None]:
        """What is written in the block may be ahead of the stream: all changes made until its end are guarded.

        No mere extension of the window: it may take long, in a pause or with a slow replica.
        """
        self._window.hold()
        try:
            await self._window.save()
            yield
        finally:
            self._window.release(self._clock.now())

    async def refresh_beside(self, key: ItemKey, *, deletes: bool | None = None) -> Outcome:
        """`refresh`, ahead of the stream."""
        async with self.ahead_of_stream():
            return await self.refresh(key, deletes=deletes)

    async def refresh(self, key: ItemKey, *, deletes: bool | None = None) -> Outcome:
        """Bring the source's present state of one item, whatever number the replica's carries. Raises ChangeError.

        An item that the source lacks is removed, but not from an archive; `deletes` overrules that. One that the
        source holds and the transform leaves out is always removed.

        What it writes carries no number, so that a change of this key that is still on its way is judged by the
        source; the caller has seen to it that such changes are guarded (GuardWindow.extend). The replica is looked at
        first: so whatever the source holds is at least as new as what is replaced, whoever else writes meanwhile.

        Where others apply the stream (GuardWindow.is_shared), both are looked at again after a write: a deletion that
        was applied while the write was on its way has found nothing to delete, and won't come again.
        """
        deletes = not self._is_archive if deletes is None else deletes
        outcome: Outcome | None = None
        written: Image | None = None
        for looks_left in itertools.count(MAX_LOOKS_AGAIN, -1):
            seen = await self._look(key)
            if outcome is not None and not self._is_right(written, seen):
                break  # who has written since has seen what was brought
            source = await self._requests.read(lambda: self._source.get(key))
            self.brought.note(key)
            if source is None and not deletes:
                return Outcome.STALE
            await self._shape.prepare([source])
            projected = self._wanted(source)
            if self._is_right(projected, seen):
                break
            if await self.writes.replace(key, projected, seen):
                self._doubts.unsettled(key)
                outcome, written = (Outcome.DELETED if projected is None else Outcome.WRITTEN), projected
                if looks_left <= 0 or not (self._window.is_shared and deletes):
                    break
        return outcome or Outcome.UNCHANGED

    def would_refresh(self, source: Image | None, seen: Image | None, *, deletes: bool | None = None) -> bool:
        """Whether a refresh finds something to do where both tables hold this. Raises ChangeError."""
        if source is None and self._is_archive and not deletes:
            return False
        return not self._is_right(self._wanted(source), seen)

    def _wanted(self, source: Image | None) -> Image | None:
        return None if source is None else self._shape.project(source)

    async def _look(self, key: ItemKey) -> Image | None:
        return await self._requests.read(lambda: self._replica.get(key), "replica")

    async def _source_holds(self, key: ItemKey, raw: Image | None, looked: Looked | None = None) -> bool:
        """The source holds exactly this image (None: no item), read consistently: now, or when it was looked at."""
        found = looked.source if looked else await self._requests.read(lambda: self._source.get(key))
        return same_or_none(found, raw)

    def _is_right(self, projected: Image | None, seen: Image | None) -> bool:
        """The replica shows this item, its metadata aside, or both are none."""
        if projected is None or seen is None:
            return projected is seen
        return self._shape.is_same(projected, seen)

    def _first_condition(self, change: Change, looked: Looked | None = None) -> Condition | None:
        """None when the item's number is not to be trusted, or there is none: then what the replica holds decides.

        So it is when a look has shown that the item's number is not older.
        """
        if not self._shape.written.has_numbers or self._window.distrusts(change):
            return None
        if looked is not None:
            number = self._number(looked.replica)
            if number is None or number >= change.sequence:
                self._refusals.note(was_refused=True)
                return None
        return Older(change.sequence)

    def _lacks_number(self, change: Change, number: SequenceNumber | None) -> bool:
        """The item's content is right, and its number is missing, or is the one that a former match left."""
        if not self._shape.written.has_numbers:
            return False
        return number is None or (number < change.sequence and self._window.is_match(change))

    def _number(self, item: Image | None) -> SequenceNumber | None:
        if item is None or not self._shape.sequence_attribute:
            return None
        return sequence_of(item, self._shape.sequence_attribute)
