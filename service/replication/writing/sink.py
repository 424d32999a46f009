"""Turns changes into item writes and sees each of them settled: batches, guarded writes, poison set apart (I7).

Takes groups of changes, one group per key. Every image is the whole item, so only a group's newest change that can be
written is written, and the older ones are superseded by it. A change that can't be written becomes a dead letter,
and the next older one of its group is tried. A crash here costs nothing: nothing is settled before it is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from service.errors import AmbiguousError, BatchRefusedError, ChangeError, TransientChangeError
from service.events import ChangesSettled
from service.model import Change, Delete, Effect, Image, ItemKey, ItemWrite, Put
from service.replication.dead_letters import DeadLetters
from service.replication.writing.desired_state import DesiredStates
from service.replication.writing.guard import Guard, Outcome
from service.replication.writing.prefetch import SLOW_SECONDS, LookAhead, Looked, PrefetchedReads
from service.replication.writing.write_context import WriteContext, WritePart

MAX_BATCH = 25
"""Items in one BatchWriteItem (botocore, dynamodb 2012-08-10: shape WriteRequests, max 25)."""

Settle = Callable[[Sequence[Change]], None]
Group = list[Change]
"""Changes of one key, oldest first."""
Refused = tuple[Change, ChangeError]


class Pending(msgspec.Struct, frozen=True, gc=False):
    """One key's group on its way: the write of its newest change, and all changes that the write settles."""

    group: Group
    change: Change
    write: ItemWrite
    raw: Image | None
    """The source's image. Of a delete: None, or an image that does not belong in the replica."""

    @property
    def is_left_out(self) -> bool:
        return self.raw is not None and isinstance(self.write, Delete)


class Sink(WritePart):
    """Shared by all lanes; holds no state of a change between calls."""

    def __init__(self, context: WriteContext, guard: Guard, dead_letters: DeadLetters, settle: Settle) -> None:
        super().__init__(context)
        self._guard = guard
        self._ahead = LookAhead(context)
        self._dead_letters = dead_letters
        self._settle = settle
        self.intents = DesiredStates(self._shape, skips_ttl_deletes=context.is_archive)

    async def apply(self, groups: Sequence[Group]) -> None:
        """Returns when every change is settled. At most 25 groups, each of another key.

        Raises LeaseLostError or HaltError; what was settled by then stays settled.
        """
        images = await self._look_up(groups)
        if self._shape.has_transform:
            newest = [group[-1] for group in groups]
            await self._shape.prepare(change.image or images.get(change.key) for change in newest)
        chosen: list[Pending] = []
        for group in groups:
            pending, refused = self._newest(group, images)
            for change, error in refused:
                await self._park(change, error, 1)
            if pending is not None:
                chosen.append(pending)
        chosen = await self._without_echoes(chosen)
        needs_guard, doubts = self._window.needs_guard, self._doubts or ()
        guarded, batch = [], {}
        for each in chosen:
            change = each.change
            if needs_guard(change) or change.key in doubts:
                guarded.append(each)
            else:
                batch[change.key] = each
        if batch:
            await self._write_batch(batch, images)
        wanted = [each.change.key for each in guarded if self._guard.wants_look(each.group)]
        looks = PrefetchedReads(self._ahead, wanted) if wanted else None
        for pending in guarded:
            await self._write_guarded(pending, images, await looks.of(pending.change.key) if looks else None)

    async def _without_echoes(self, chosen: list[Pending]) -> list[Pending]:
        """Settle what the replica has already of items that another pipeline wrote into the source.

        Of two pipelines, one each way, each would else write the other's writes again without end. A group of several
        changes is written all the same: its number must not stay below those of the states between.
        """
        if not self._shape.is_chained:
            return chosen
        suspects = [
            pending
            for pending in chosen
            if isinstance(pending.write, Put)
            and pending.raw is not pending.write.item  # what carries nothing of ours is left as it is
            and len(pending.group) == 1
            and pending.raw is not None
            and self._shape.is_replicated(pending.raw)
        ]
        if not suspects:
            return chosen
        keys = [pending.change.key for pending in suspects]
        held = await self._requests.read(lambda: self._replica.get_many(keys), "replica")
        echoes: set[ItemKey] = set()
        for pending in suspects:
            found, write = held.get(pending.change.key), pending.write
            if found is not None and isinstance(write, Put) and self._shape.is_same(write.item, found):
                echoes.add(pending.change.key)
                self._doubts.settled(pending.change, write)
                self._note(pending.group, ChangesSettled(records=1, unchanged=1))
        return [pending for pending in chosen if pending.change.key not in echoes]

    async def _look_up(self, groups: Sequence[Group]) -> dict[ItemKey, Image]:
        """The source's present items for records that carry none (KEYS_ONLY, OLD_IMAGE)."""
        keys = [group[-1].key for group in groups if group[-1].effect is Effect.LOOK_UP]
        if not keys:
            return {}
        return await self._requests.read(lambda: self._source.get_many(keys))

    def _newest(self, group: Group, images: dict[ItemKey, Image]) -> tuple[Pending | None, Sequence[Refused]]:
        """The write of the group's newest change that there is one for; None when none is left.

        Newer ones leave the group: a TTL's delete that is skipped is settled, what can't be written is the second part.
        An item that the transform leaves out is a delete like any other.
        """
        refused: list[Refused] | None = None
        while group:
            change = group[-1]
            try:
                pending = self._pending(group, images)
            except ChangeError as error:
                refused = [*(refused or ()), (group.pop(), error)]
                continue
            if pending is not None:
                return pending, refused or ()
            group.pop()
            self._note([change], ChangesSettled(records=1, skipped=1))
        return None, refused or ()

    def _pending(self, group: Group, images: dict[ItemKey, Image]) -> Pending | None:
        """The write of the group's newest change; None if an archive takes nothing from it. Raises ChangeError."""
        change = group[-1]
        intent = self.intents.of(change, images.get(change.key))
        if intent is None:
            return None
        if intent.projected is None:
            return Pending(group, change, Delete(change.key), intent.raw)
        return Pending(group, change, Put(change.key, intent.projected), intent.raw)

    async def _write_batch(self, batch: dict[ItemKey, Pending], images: dict[ItemKey, Image]) -> None:
        left = dict(batch)
        try:
            await self._requests.write_batch(
                list(batch),
                lambda keys: self._replica.write_batch(self._dressed([batch[key] for key in keys])),
                lambda keys: self._settle_written([left.pop(key) for key in keys]),
            )
        except BatchRefusedError:
            for pending in left.values():
                await self._write_alone(pending, images)
        except AmbiguousError:
            # Written or not: from here on each is written only where it still has to be.
            for pending in left.values():
                await self._write_guarded(pending, images)

    def _dressed(self, batch: Sequence[Pending]) -> list[ItemWrite]:
        add_metadata, stamp = self._shape.add_metadata, self._shape.stamp()
        return [
            Put(write.key, add_metadata(write.item, sequence, stamp=stamp)) if isinstance(write, Put) else write
            for write, sequence in ((each.write, each.change.sequence) for each in batch)
        ]

    async def _write_alone(self, pending: Pending, images: dict[ItemKey, Image]) -> None:
        """One item of a refused batch: without a condition, since nothing of that batch was written."""
        write, change = pending.write, pending.change
        try:
            if isinstance(write, Put):
                await self._guard.writes.put(change.key, write.item, change.sequence, None)
            else:
                await self._guard.writes.delete(change.key, None)
        except ChangeError as error:
            await self._replace(pending, error, images)
        else:
            self._settle_written([pending])

    async def _look_again(self, key: ItemKey) -> None:
        """After a slow write, where others apply the stream too: a later change may have found nothing to do yet."""
        with contextlib.suppress(ChangeError):  # that state's own record becomes a dead letter
            await self._guard.refresh(key, deletes=not self.intents.skips_ttl_deletes)

    async def _write_guarded(
        self, pending: Pending, images: dict[ItemKey, Image], looked: Looked | None = None
    ) -> None:
        change, write, began = pending.change, pending.write, looked.at if looked else self._clock.monotonic()
        self._doubts.note_repeated(change)
        try:
            if isinstance(write, Put):
                assert pending.raw is not None
                outcome = await self._guard.put(change, pending.raw, write.item, looked)
            else:
                outcome = await self._guard.delete(change, looked, raw=pending.raw)
        except ChangeError as error:
            await self._replace(pending, error, images)
            return
        if outcome.took_effect:
            if self._window.is_shared and self._clock.monotonic() - began > SLOW_SECONDS:
                await self._look_again(change.key)
            self._settle_written([pending], guarded=1)
            return
        is_unchanged = outcome is Outcome.UNCHANGED
        if is_unchanged:
            self._doubts.settled(change, write)
        else:
            self._doubts.unsettled(change.key)
        settled = ChangesSettled(
            records=len(pending.group),
            stale=int(outcome is Outcome.STALE),
            unchanged=int(is_unchanged and not pending.is_left_out),
            skipped=int(is_unchanged and pending.is_left_out),
            coalesced=len(pending.group) - 1,
            guarded=1,
        )
        self._note(pending.group, settled)

    async def _replace(self, pending: Pending, error: ChangeError, images: dict[ItemKey, Image]) -> None:
        """The change is poison: keep it as a dead letter, and bring the next older state of its key instead."""
        attempts = self._requests.max_attempts if isinstance(error, TransientChangeError) else 1
        await self._park(pending.change, error, attempts)
        group = pending.group
        group.pop()
        older, refused = self._newest(group, images)
        for change, cause in refused:
            await self._park(change, cause, 1)
        if older is not None:
            # Guarded, although nothing newer was written: a lost answer may have been a success after all.
            await self._write_guarded(older, images)

    async def _park(self, change: Change, error: ChangeError, attempts: int) -> None:
        await self._dead_letters.park(change, error, attempts)
        self._note([change], ChangesSettled(records=1, dead_lettered=1))

    def _settle_written(self, written: list[Pending], guarded: int = 0) -> None:
        now = self._clock.now()
        if self._doubts:
            for pending in written:
                self._doubts.settled(pending.change, pending.write)
        changes = [change for pending in written for change in pending.group]
        self._settle(changes)
        settled = ChangesSettled(
            records=len(changes),
            applied=len(written),
            coalesced=len(changes) - len(written),
            items_written=len(written),
            guarded=guarded,
            latencies=[now - pending.change.created_at for pending in written],
        )
        self._observer.observe(settled)

    def _note(self, changes: Sequence[Change], settled: ChangesSettled) -> None:
        self._settle(changes)
        self._observer.observe(settled)
