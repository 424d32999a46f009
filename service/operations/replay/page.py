"""Refreshes the keys of a page of history from the source, where the replica does not show what the page tells (I3).

Both tables are read in batches first, so that a replay of what is right already costs reads and no write. The rest is
refreshed at its key's turn in the lanes, as an operator refreshes one item.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from service.errors import ChangeError, TransientChangeError
from service.model import Change, Effect, Image, ItemKey
from service.ports import Adapters
from service.replication.job_flow import JobFlow
from service.replication.requests.batches import get_batches
from service.replication.writing.desired_state import REMOVE
from service.replication.writing.guard import same_or_none


class PageReplay:
    """Every change is settled when a call returns. Pages of one shard come one after the other."""

    def __init__(self, flow: JobFlow, adapters: Adapters, *, dry_run: bool) -> None:
        """`dry_run` counts what would be written, and writes nothing, dead letters included."""
        self._flow = flow
        self._source = adapters.source
        self._replica = adapters.replica
        self._dry_run = dry_run

    async def replay(self, changes: Sequence[Change]) -> Counter[str]:
        """Of each key only the newest change counts: older states are not what the source holds, nor may they show.

        Returns how many were `read`, and of these `applied` and `parked`: the others needed nothing. Raises
        LeaseLostError, HaltError.
        """
        counts = Counter(read=len(changes))
        newest = {change.key: change for change in changes}
        for keys in get_batches(list(newest)):
            await self._flow.gate.until_open()
            await self._replay_keys(keys, newest, counts)
        return counts

    async def _replay_keys(
        self, keys: Sequence[ItemKey], newest: Mapping[ItemKey, Change], counts: Counter[str]
    ) -> None:
        # The replica first: what it shows is no newer than what the source is found to hold.
        held = await self._flow.requests.read(lambda: self._replica.get_many(keys), "replica")
        await self._flow.guard.shape.prepare(newest[key].image for key in keys)
        unlike = [key for key in keys if not self._shows(newest[key], held.get(key))]
        if not unlike:
            return
        source = await self._flow.requests.read(lambda: self._source.get_many(unlike))
        present = [newest[key] for key in unlike if _is_present(newest[key], source.get(key))]
        await self._flow.guard.shape.prepare(source.get(change.key) for change in present)
        async with asyncio.TaskGroup() as tasks:
            for change in present:
                refresh = self._refresh(change, source.get(change.key), held.get(change.key), counts)
                tasks.create_task(refresh, name="replayed change")

    def _shows(self, change: Change, seen: Image | None) -> bool:
        """The replica shows what the change tells: the source need not be read."""
        try:
            may_differ = change.effect is Effect.LOOK_UP or self._would_refresh(change, change.image, seen)
        except ChangeError:
            return False  # it counts only if the source holds it still
        return not may_differ

    def _would_refresh(self, change: Change, source: Image | None, seen: Image | None) -> bool:
        return self._flow.guard.would_refresh(source, seen, deletes=_deletes(change))

    async def _refresh(self, change: Change, source: Image | None, seen: Image | None, counts: Counter[str]) -> None:
        key = change.key
        try:
            if not self._would_refresh(change, source, seen):
                return
            if self._dry_run:
                counts["applied"] += 1
                return
            guard = self._flow.guard
            outcome = await self._flow.lanes.run(key, lambda: guard.refresh_beside(key, deletes=_deletes(change)))
        except ChangeError as error:
            await self._park(change, error, counts)
            return
        counts["applied"] += outcome.took_effect

    async def _park(self, change: Change, error: ChangeError, counts: Counter[str]) -> None:
        """Under the same id as before, if it is a dead letter already."""
        counts["parked"] += 1
        if self._dry_run:
            return
        attempts = self._flow.requests.max_attempts if isinstance(error, TransientChangeError) else 1
        await self._flow.dead_letters.park(change, error, attempts)


def _is_present(change: Change, source: Image | None) -> bool:
    """What the source holds is what the change tells; otherwise a later record brings, or has brought, what counts."""
    return change.effect is Effect.LOOK_UP or same_or_none(source, change.image)


def _deletes(change: Change) -> bool | None:
    """A REMOVE record that is not TTL's takes the item out of an archive, too."""
    return True if change.event_name == REMOVE and not change.is_ttl_delete else None
