"""Brings a scan's items into a replica that has none of them, beside the live stream (I3).

An item of a page is older than what the stream has brought since the page was asked for: that one is dropped. Of the
others, those that the replica lacks are written in batches, at a turn of their lane, so that nobody else of this
process writes them meanwhile; those that differ, or do not belong there, are refreshed from the source. None carries a
sequence number: a change of it that is still on its way is judged by the source, since the caller has everything
guarded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from service.errors import AmbiguousError, BatchRefusedError, ChangeError
from service.model import Absent, Image, ItemKey, ItemWrite, Put, Written
from service.replication.writing.guard import Guard, Outcome
from service.replication.writing.write_context import WriteContext, WritePart


class Copier(WritePart):
    """Its calls are serialised per key by the lanes."""

    def __init__(self, context: WriteContext, guard: Guard) -> None:
        super().__init__(context)
        self._guard = guard

    async def copy(self, key: ItemKey, raw: Image, page: int) -> Outcome:
        """Bring an item of a scan's page, if the replica has none; one that differs is refreshed.

        Dropped (STALE) if the stream has brought the key since the page was asked for. Raises ChangeError.
        """
        if self._guard.brought.has_brought(key, page):
            return Outcome.STALE
        if self._window.is_shared:
            return await self._guard.refresh(key)  # nobody here knows what others have brought, or removed, since then
        await self._shape.prepare([raw])
        projected = self._shape.project(raw)
        if projected is None:
            return await self._guard.refresh(key)  # removed, if it is there
        answer = await self._guard.writes.put(key, projected, None, Absent())
        if isinstance(answer, Written):
            self._doubts.unsettled(key)
            return Outcome.WRITTEN
        if answer.item is not None and self._shape.is_same(projected, answer.item):
            return Outcome.UNCHANGED
        return await self._guard.refresh(key)

    async def copy_together(self, items: Sequence[tuple[ItemKey, Image]], page: int) -> dict[ItemKey, Outcome]:
        """Bring those of up to 25 items that need nothing but a batch; the others are left out, for `copy`.

        Left out is what differs from the replica's, what it or the transform refuses, and what is in doubt; with mode
        `strict`, whatever has to be written.
        """
        if self._window.is_shared:
            return {}
        if self._doubts.may_be_formers:  # which has perhaps begun to write the same items
            self._doubts.note_formers([key for key, _ in items])
        outcomes = {key: Outcome.STALE for key, _ in items if self._guard.brought.has_brought(key, page)}
        absent: dict[ItemKey, Image] = {}
        fresh = [(key, raw) for key, raw in items if key not in outcomes]
        held = await self._held([key for key, _ in fresh])
        await self._shape.prepare(raw for _, raw in fresh)
        for key, raw in fresh:
            try:
                projected = self._shape.project(raw)
            except ChangeError:
                continue
            if key not in held:
                if projected is None:
                    outcomes[key] = Outcome.UNCHANGED
                else:
                    absent[key] = projected
            elif projected is not None and self._shape.is_same(projected, held[key]):
                outcomes[key] = Outcome.UNCHANGED
        if self._window.guards_all:
            return outcomes

        def written(keys: Sequence[ItemKey]) -> None:
            outcomes.update(dict.fromkeys(keys, Outcome.WRITTEN))
            for key in keys if self._doubts else ():
                self._doubts.unsettled(key)

        with contextlib.suppress(BatchRefusedError, AmbiguousError):  # the rest goes one by one, where there is none
            await self._requests.write_batch(
                list(absent),
                lambda keys: self._replica.write_batch([self._put(key, absent[key]) for key in keys]),
                written,
            )
        return outcomes

    async def _held(self, keys: list[ItemKey]) -> dict[ItemKey, Image]:
        return await self._requests.read(lambda: self._replica.get_many(keys), "replica") if keys else {}

    def _put(self, key: ItemKey, projected: Image) -> ItemWrite:
        return Put(key, self._shape.add_metadata(projected, None))
