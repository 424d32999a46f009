"""Brings what a page of history tells, where the replica does not show it (I3).

Both tables are looked at in batches first, so that a replay of what is right already costs reads and no write. What is
left goes through the lanes, each change at its key's turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from service.errors import ChangeError, TransientChangeError
from service.model import Change, Effect, Image, ItemKey
from service.ports import Adapters
from service.replication.replicator import Replicator
from service.replication.writing.desired_state import DesiredState
from service.replication.writing.guard import Outcome, same_or_none

GET_AT_ONCE = 100
"""Keys in one BatchGetItem (botocore, dynamodb 2012-08-10: shape KeyList, max 100)."""
BYTES_AT_ONCE = 4 * 1024 * 1024
"""Of the images in history whose items are looked at together, in both tables: what bounds the memory."""

GetMany = Callable[[Sequence[ItemKey]], Awaitable[dict[ItemKey, Image]]]
Group = list[Change]
"""Changes of one key, oldest first."""


@dataclass(slots=True)
class Counts:
    read: int = 0
    applied: int = 0
    parked: int = 0

    @property
    def unchanged(self) -> int:
        return self.read - self.applied - self.parked

    def add(self, other: Counts) -> None:
        self.read += other.read
        self.applied += other.applied
        self.parked += other.parked


class PageReplay:
    """Every change is settled when a call returns. Pages of one shard come one after the other."""

    def __init__(self, flow: Replicator, adapters: Adapters, *, dry_run: bool) -> None:
        """`dry_run` counts what would be written, and writes nothing, dead letters included."""
        self._flow = flow
        self._source = adapters.source
        self._replica = adapters.replica
        self._dry_run = dry_run

    async def replay(self, changes: Sequence[Change]) -> Counts:
        """Of each key only the newest change counts: older states are not what the source holds, nor may they show.

        Raises LeaseLostError, HaltError.
        """
        counts = Counts(read=len(changes))
        for groups in _batches(changes):
            await self._flow.gate.until_open()
            await self._replay_batch(groups, counts)
        return counts

    async def _replay_batch(self, groups: list[Group], counts: Counts) -> None:
        wanted = await self._wanted(groups, counts)
        if not wanted:
            return
        held = await self._look(self._replica.get_many, wanted, "replica")
        guard = self._flow.guard
        unlike = [(change, intent) for change, intent in wanted if guard.judge(intent, held.get(change.key)) is None]
        if not unlike:
            return
        # What the source does not hold any more has a later record, which brings, or has brought, what counts.
        held = await self._look(self._source.get_many, unlike, "source")
        to_mend = [(change, intent) for change, intent in unlike if same_or_none(held.get(change.key), intent.raw)]
        if self._dry_run:
            counts.applied += len(to_mend)
            return
        async with asyncio.TaskGroup() as tasks:
            for change, intent in to_mend:
                tasks.create_task(self._mend(change, intent, counts), name="replayed change")

    async def _wanted(self, groups: list[Group], counts: Counts) -> list[tuple[Change, DesiredState]]:
        """What each key's newest change wants that is not left out; one that can't be told becomes a dead letter."""
        looked_up: dict[ItemKey, Image] = {}
        keys = [group[-1].key for group in groups if group[-1].effect is Effect.LOOK_UP]
        if keys:
            looked_up = await self._flow.requests.read(lambda: self._source.get_many(keys))
        newest = [group[-1] for group in groups]
        await self._flow.guard.shape.prepare(change.image or looked_up.get(change.key) for change in newest)
        wanted = []
        for group in groups:
            for change in reversed(group):
                try:
                    intent = self._flow.sink.intents.of(change, looked_up.get(change.key))
                except ChangeError as error:
                    await self._park(change, error, counts)
                    continue
                if intent is not None:
                    wanted.append((change, intent))
                    break
        return wanted

    async def _look(
        self, get_many: GetMany, wanted: Sequence[tuple[Change, DesiredState]], table: str
    ) -> dict[ItemKey, Image]:
        keys = [change.key for change, _ in wanted]
        return await self._flow.requests.read(lambda: get_many(keys), table)

    async def _mend(self, change: Change, intent: DesiredState, counts: Counts) -> None:
        try:
            outcome = await self._flow.lanes.run(change.key, lambda: self._at_turn(change, intent))
        except ChangeError as error:
            await self._park(change, error, counts)
            return
        assert isinstance(outcome, Outcome)
        counts.applied += outcome.took_effect

    async def _at_turn(self, change: Change, intent: DesiredState) -> Outcome:
        # What is written is the source's present state. The live reading may be behind it, so its changes that were
        # made up to the look at the source have to be guarded, or they would take the item back. Changes made later
        # are newer than what is written here. A replay that writes nothing leaves the live stream's batches alone.
        async with self._flow.guard.ahead_of_stream():
            return await self._flow.guard.mend(change, intent)

    async def _park(self, change: Change, error: ChangeError, counts: Counts) -> None:
        """Under the same id as before, if it is a dead letter already."""
        counts.parked += 1
        if self._dry_run:
            return
        attempts = self._flow.requests.max_attempts if isinstance(error, TransientChangeError) else 1
        await self._flow.dead_letters.park(change, error, attempts)


def _batches(changes: Sequence[Change]) -> Iterator[list[Group]]:
    """Grouped by key, as many keys at a time as are looked at together."""
    by_key: dict[ItemKey, Group] = {}
    for change in changes:
        by_key.setdefault(change.key, []).append(change)
    batch: list[Group] = []
    size = 0
    for group in by_key.values():
        batch.append(group)
        size += group[-1].size
        if len(batch) == GET_AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
