"""Suspicious keys, from the first look to a verdict: what is merely on its way is no difference (E71).

A key that differed is looked at once more, and then again when the stream has been settled past that moment. It
counts if it differs still, if the source holds the same as before, and if the stream brought nothing for the key from
before the one look until after the other. Then the replica stood where the last change up to the first look had put
it, and that change is what the source held. Otherwise the later look is the new first one.

Both looks read the replica before the source: who writes besides the stream writes what the source held before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.model import Image, ItemKey
from service.operations.verification.comparison import Comparison, Kind, fingerprint
from service.operations.verification.ledger import OpenPage
from service.operations.verification.observer import ObservedChanges, StreamObserver
from service.ports import Adapters
from service.replication.requests.batches import get_batches

MAX_WAITING = 10_000
"""Suspects at a time, some 5 MB; with more, the scan waits."""
LOOK_EVERY_SECONDS = 0.5
OVERTAKEN_AFTER_SECONDS = 1.0
"""A key that a change has overtaken is looked at before it is settled, first after so long: most are right by then. A
stream that tells creation times by the minute (DynamoDB Local) would else keep each busy key for minutes."""
MAX_ROUNDS = 5
"""A key that changes all the time is written anew by each change: after so many looks it is let go."""

Evidence = tuple[bytes, ObservedChanges]
"""The source's item, and what the stream had brought for the key."""


@dataclass(eq=False, slots=True)
class Suspect:
    key: ItemKey
    page: OpenPage
    evidence: Evidence | None = None
    seen_at: float = 0.0
    look_early_at: float = 0.0
    look_overtaken_at: float = 0.0
    rounds: int = 0


class Suspects:
    """Owned by one verification; scans bring keys, `judge` settles them."""

    def __init__(
        self,
        *,
        adapters: Adapters,
        looks: StreamObserver,
        comparison: Comparison,
        settle: Callable[[OpenPage], None],
        repairs: bool,
    ) -> None:
        """`settle` is told of each page one of whose suspicions has its verdict."""
        self._source = adapters.source
        self._replica = adapters.replica
        self._looks = looks
        self._comparison = comparison
        self._clock = adapters.clock
        self._settle = settle
        self._repairs = repairs
        self._open: set[ItemKey] = set()
        self._waiting: list[Suspect] = []
        self._has_room = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    async def add(self, keys: Sequence[ItemKey], page: OpenPage) -> None:
        """Take these keys of a page in; waits while too many are open. At most 100 keys."""
        while len(self._open) >= MAX_WAITING:
            self._has_room.clear()
            await self._has_room.wait()
        new = [key for key in keys if key not in self._open]  # the other table's scan may have brought one already
        if not new:
            return
        self._open.update(new)
        self._is_empty.clear()
        page.unsettled += len(new)
        self._looks.watch(new)
        await self._look([Suspect(key, page) for key in new], settled_up_to=float("-inf"))

    async def judge(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            await self.judge_once()

    async def judge_once(self) -> None:
        """Look again at those for which it is time."""
        settled, now = self._looks.settled_up_to, self._clock.now()
        due = [one for one in self._waiting if self._is_due(one, settled, now)]
        if not due:
            return
        chosen = set(map(id, due))
        self._waiting = [one for one in self._waiting if id(one) not in chosen]
        for some in get_batches(due):
            await self._look(some, settled)

    def _is_due(self, one: Suspect, settled: float, now: float) -> bool:
        if one.seen_at < settled or one.look_early_at <= now:
            return True
        return one.look_overtaken_at <= now and self._is_overtaken(one)

    def _is_overtaken(self, one: Suspect) -> bool:
        """The stream has brought a change of its key since the first look: nothing can be confirmed by that one."""
        return one.evidence is not None and one.evidence[1] != self._looks.brought(one.key)

    async def until_none(self) -> None:
        await self._is_empty.wait()

    async def _look(self, suspicions: Sequence[Suspect], settled_up_to: float) -> None:
        """One look at both tables; `settled_up_to` is from before it."""
        keys = [one.key for one in suspicions]
        before = {key: self._looks.brought(key) for key in keys}
        replica = await self._looks.read(lambda: self._replica.get_many(keys), "replica")
        source = await self._looks.read(lambda: self._source.get_many(keys), "source")
        await self._comparison.prepare(source.values())
        confirmed: list[tuple[Suspect, Kind]] = []
        for one in suspicions:
            held = source.get(one.key)
            kind = self._comparison.difference(held, replica.get(one.key))
            if kind is None or self._is_as_brought(one.key, replica.get(one.key), before[one.key]):
                self._end(one)
            elif one.seen_at >= settled_up_to and self._is_overtaken(one):
                one.look_overtaken_at = self._clock.now() + (self._clock.now() - one.seen_at)
                self._waiting.append(one)
            elif one.evidence != (fingerprint(held), self._looks.brought(one.key)):
                self._begin_again(one, held, before[one.key])
            elif one.seen_at < settled_up_to:
                confirmed.append((one, kind))
            else:
                one.look_early_at = self._clock.now() + 2 * (self._clock.now() - one.seen_at)
                self._waiting.append(one)
        await asyncio.gather(*[self._confirm(one, kind) for one, kind in confirmed])

    def _is_as_brought(self, key: ItemKey, replica: Image | None, before: ObservedChanges) -> bool:
        """The replica showed what the stream had brought last, before this look or by now."""
        marks = {before.mark, self._looks.brought(key).mark} - {None}
        return bool(marks & self._comparison.marks_in_replica(replica)) if marks else False

    def _begin_again(self, one: Suspect, held: Image | None, brought: ObservedChanges) -> None:
        one.rounds += 1
        if one.rounds > MAX_ROUNDS:
            self._end(one)
            return
        one.evidence = (fingerprint(held), brought)
        one.seen_at = self._clock.now()
        one.look_early_at = one.seen_at + self._looks.early_look_seconds
        one.look_overtaken_at = one.seen_at + OVERTAKEN_AFTER_SECONDS
        self._waiting.append(one)

    async def _confirm(self, one: Suspect, kind: Kind) -> None:
        is_mended = self._repairs and await self._looks.mend(one.key)
        one.page.found.note(one.key, kind, is_repaired=is_mended)
        self._end(one)

    def _end(self, one: Suspect) -> None:
        self._open.discard(one.key)
        self._looks.forget(one.key)
        self._settle(one.page)
        self._has_room.set()
        if not self._open:
            self._is_empty.set()
