"""Looks again at the keys in doubt, and mends what a late write took back or brought back (I3).

The replica's items are looked at in batches. One that is not as it was settled last is looked at once more at its key's
turn in the lanes, where nobody else of this process writes it, and written anew, on the condition that it still is as
it was seen.

Where a job wrote the item last, or a change was stale, nobody knows what the replica has to show: the source decides,
which may be ahead of the stream. What is brought then proves no late write, and is not told as one.
"""

from __future__ import annotations

import asyncio

from service.dynamodb_json.items import sequence_of
from service.errors import ChangeError
from service.events import LateWriteMended
from service.model import Image, ItemKey
from service.replication.doubts import Doubt
from service.replication.requests.batches import get_batches
from service.replication.writing.guard import Guard
from service.replication.writing.lanes import Lanes
from service.replication.writing.write_context import WriteContext, WritePart

LOOK_EVERY_SECONDS = 0.5


class SecondLooks(WritePart):
    """Runs beside the flow, as long as it runs."""

    def __init__(self, context: WriteContext, guard: Guard, lanes: Lanes) -> None:
        super().__init__(context)
        self._guard = guard
        self._lanes = lanes

    async def look_periodically(self) -> None:
        """Until cancelled. Raises LeaseLostError, HaltError."""
        while True:
            await self._doubts.wait()
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            await self.look_once()

    async def look_once(self) -> None:
        """Look at all keys whose time it is; returns when what was wrong is mended."""
        for keys in get_batches(self._doubts.due() if self._doubts else []):
            asked_at = self._clock.monotonic()
            held = await self._requests.read(lambda: self._replica.get_many(keys), "replica")  # noqa: B023 awaited here
            wrong = [key for key in keys if not self._is_as_settled(self._doubts.get(key), held.get(key))]
            results = await asyncio.gather(*[self._mend(key, asked_at) for key in wrong], return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            for key in set(keys).difference(wrong):
                self._doubts.looked_at(key, asked_at)

    async def _mend(self, key: ItemKey, asked_at: float) -> None:
        try:
            was_late = await self._lanes.run(key, lambda: self._at_turn(key))
        except ChangeError:
            was_late = False  # the replica does not take that state: its own change is a dead letter
        self._doubts.looked_at(key, asked_at)
        if was_late:
            self._observer.observe(LateWriteMended(key))

    async def _at_turn(self, key: ItemKey) -> bool:
        """Whether what was settled last had been taken back, and is there again."""
        while True:
            doubt = self._doubts.get(key)
            seen = await self._requests.read(lambda: self._replica.get(key), "replica")
            if doubt is None or self._is_as_settled(doubt, seen):
                return False
            number = None if seen is None else sequence_of(seen, self._guard.shape.sequence_attribute)
            if (
                seen is None
                or number is None
                or doubt.sequence is None
                or (doubt.image is None and not doubt.is_deleted)
            ):
                was_known = doubt.sequence is not None
                # Settled as removed, by a record that says so: an archive, too, holds no such item.
                outcome = await self._guard.refresh_beside(key, deletes=doubt.is_deleted or None)
                return was_known and outcome.took_effect
            is_same = doubt.image is not None and self._guard.shape.is_same(doubt.image, seen)
            if await self._guard.writes.replace(key, doubt.image, seen, doubt.sequence):
                return not is_same

    def _is_as_settled(self, doubt: Doubt | None, seen: Image | None) -> bool:
        """The replica shows what was settled last, or something newer that the stream has written since."""
        if doubt is None:
            return True
        if doubt.sequence is None:
            return False
        if seen is None:
            return doubt.is_deleted
        number = sequence_of(seen, self._guard.shape.sequence_attribute)
        return number is not None and (number > doubt.sequence or (number == doubt.sequence and not doubt.is_deleted))
