"""Writes a dead letter again, at its key's turn in the lanes, unless a newer state of the item is there (I3)."""

from __future__ import annotations

from service.dynamodb_json.records import RecordReader
from service.errors import ChangeError
from service.model import Change, Effect, Image, ItemKey
from service.operations.pipeline.outside import Outside
from service.pipeline_state import SNAPSHOT, DeadLetter
from service.replication.job_flow import JobFlow
from service.replication.writing.guard import Outcome, same_or_none


class Redrive:
    """Letters of one flow. A filter, a projection and the transform are applied as they are configured now."""

    def __init__(self, flow: JobFlow, outside: Outside) -> None:
        self._flow = flow
        self._source = outside.adapters.source
        self._replica = outside.adapters.replica
        self._records = RecordReader(outside.source.keys, outside.source.view_type)

    async def write(self, letter: DeadLetter) -> Outcome:
        """May be repeated. Raises ChangeError when it is refused again, LeaseLostError, HaltError."""
        change = self._change(letter)
        key = letter.key if change is None else change.key
        if key is None:
            raise ChangeError(
                f"the record can't be read and names no item ({letter.error}): look at it, then discard it"
            )
        return await self._flow.lanes.run(key, lambda: self._at_turn(key, change))

    def _change(self, letter: DeadLetter) -> Change | None:
        """None if it does not tell a state to write: then the source's present one is brought."""
        if letter.event_name == SNAPSHOT:
            return None
        found = self._records.read(letter.shard_id, letter.record)
        return found if isinstance(found, Change) else None

    async def _at_turn(self, key: ItemKey, change: Change | None) -> Outcome:
        guard = self._flow.guard
        try:
            async with guard.ahead_of_stream():  # what is written may be the source's present state
                if change is None:
                    return await guard.refresh(key)
                outcome = await self._write(change)
                if outcome.took_effect and self._flow.window.is_shared:
                    await guard.refresh(key)  # which looks again at what others have done meanwhile
                return outcome
        except ChangeError:
            if change is None or not await self._is_superseded(change):
                raise
            return Outcome.STALE

    async def _write(self, change: Change) -> Outcome:
        looked_up = await self._looked_up(change)
        await self._flow.guard.shape.prepare([change.image or looked_up])
        intent = self._flow.sink.intents.of(change, looked_up)
        if intent is None:
            return Outcome.UNCHANGED  # an archive takes nothing from it
        if intent.projected is None or intent.raw is None:
            return await self._flow.guard.delete(change, raw=intent.raw)
        return await self._flow.guard.put(change, intent.raw, intent.projected, is_live=False)

    async def _is_superseded(self, change: Change) -> bool:
        """A newer state was applied, or the item is gone from both tables: nobody needs this one any more."""
        requests = self._flow.requests
        seen = await requests.read(lambda: self._replica.get(change.key), "replica")
        held = await requests.read(lambda: self._source.get(change.key))
        if seen is None:
            return held is None
        return self._flow.guard.is_ahead(change, seen) and not same_or_none(held, change.image)

    async def _looked_up(self, change: Change) -> Image | None:
        if change.effect is not Effect.LOOK_UP:
            return None
        return await self._flow.requests.read(lambda: self._source.get(change.key))
