"""I2 and I5, where the place in the stream is kept: a save counts wholly or not at all, and only its owner's does.

Random saves of random shards by one owner after the other, through throttling, lost and late answers, and crashes
before and after each request.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.aws.control.attributes import item_size
from service.aws.control.progress import MAX_GARBAGE, PART
from service.aws.control.shard_log import MAX_PARTS
from service.aws.control.store import DynamoControlStore
from service.errors import LeaseLostError, RetryableError
from service.model import ShardId
from service.pipeline_state import Lease, PipelineRecord
from tests.fakes.items import CrashError, FakeItems, Fate
from tests.unit.aws.control.test_progress import of, record

FAULTS = (*3 * (Fate.THROTTLED, Fate.LOST, Fate.LATE), Fate.CRASH_BEFORE, Fate.CRASH_AFTER)


class History:
    """One pipeline's owners, one after the other, and what may have been saved last."""

    def __init__(self, seed: int, shards: int, faults: float) -> None:
        self.dice = random.Random(seed)
        self.items = FakeItems()
        self.items.on_request = self.fate
        self.shards = shards
        self.faults = faults
        self.generation = self.adopted = 0
        self.former: list[tuple[DynamoControlStore, Lease]] = []
        self.wanted: PipelineRecord = record({})
        self.possible: list[PipelineRecord | None] = [None]
        self.newest = 0
        self.sequence = 0

    def fate(self, operation: str, request: Mapping[str, Any]) -> Fate:
        return self.dice.choice(FAULTS) if self.dice.random() < self.faults else Fate.ANSWERED

    def change(self) -> None:
        """Some shards move on, some are new, some are forgotten; now and then the stream is another one."""
        self.sequence += 1
        known = dict(self.wanted.checkpoints)
        if self.dice.random() < 0.05:
            known = {}
        numbers = range(max(0, self.newest - self.shards), self.newest)
        if numbers:
            count = min(len(numbers), self.dice.choice((1, 3, 10, len(numbers) // 2 or 1)))
            busy = self.dice.sample(numbers, count)
            known |= of(busy, self.sequence, is_closed=self.dice.random() < 0.2)
        if self.dice.random() < 0.2:
            more = self.dice.randrange(1, self.shards)
            known |= of(range(self.newest, self.newest + more), self.sequence)
            self.newest += more
            for shard_id in list(known)[: max(0, len(known) - self.shards)]:
                del known[shard_id]
        self.wanted = record(known)

    async def own(self) -> None:
        """Take over, save for a while, and end by a crash or because the next one takes over."""
        self.generation += 1
        lease = Lease(f"owner {self.generation}", self.generation)
        store = DynamoControlStore(self.items, "control", "pipeline")
        try:
            await self.adopt(store, lease)
            for _ in range(self.dice.randrange(30)):
                self.change()
                await self.save(store, lease)
                if self.dice.random() < 0.05:
                    await self.adopt(store, lease)  # as a gap is recorded
        except CrashError:
            return
        self.former.append((store, lease))

    async def adopt(self, store: DynamoControlStore, lease: Lease) -> None:
        while True:
            try:
                found = await store.adopt_progress(lease)
            except RetryableError:
                continue
            assert found in self.possible, "another progress than one that was saved, or a part of one"
            self.possible, self.adopted = [found], lease.generation
            self.wanted = found or record({})
            return

    async def save(self, store: DynamoControlStore, lease: Lease) -> None:
        self.possible.append(self.wanted)
        try:
            await store.save_progress(lease, self.wanted)
        except RetryableError:
            return
        self.possible = [self.wanted]

    async def meddle(self) -> None:
        """A former owner does not know yet that it is one; requests that were given up take effect."""
        self.items.land_late()
        for store, lease in self.former[-4:]:
            if lease.generation == self.adopted:
                continue  # nobody came after it
            try:
                await store.save_progress(lease, record(of(range(self.shards), -1)))
            except (LeaseLostError, RetryableError, CrashError):
                continue
            raise AssertionError("a former owner has saved")

    async def check_calm(self) -> None:
        """Without faults: what was saved last is there, and what does not count any more goes."""
        self.faults = 0.0
        self.items.land_late()
        store, lease = DynamoControlStore(self.items, "control", "pipeline"), Lease("last", self.generation + 1)
        await self.adopt(store, lease)
        for _ in range(40):
            self.change()
            await self.save(store, lease)
        assert await DynamoControlStore(self.items, "control", "pipeline").read_progress() == self.wanted
        named = {PART + name["S"] for name in self.items.items["progress"]["parts"]["L"]}
        stored = {name for name in self.items.items if name.startswith(PART)}
        assert len(stored - named) <= MAX_GARBAGE, "what does not count any more stays"
        assert len(named) < 2 * MAX_PARTS
        if self.wanted.checkpoints:
            size = sum(item_size(self.items.items[name]) for name in stored)
            assert size < 5 * 200 * len(self.wanted.checkpoints) + 400_000


@given(
    seed=st.integers(0, 2**32),
    shards=st.sampled_from([2, 40, 150]),
    faults=st.sampled_from([0.02, 0.2, 0.5]),
)
def test_a_save_counts_wholly_or_not_at_all_and_only_the_owners_does_i2_i5(
    seed: int, shards: int, faults: float
) -> None:
    async def played() -> None:
        history = History(seed, shards, faults)
        for _ in range(5):
            await history.own()
            await history.meddle()
        await history.check_calm()

    asyncio.run(played())


def test_the_history_has_parts_and_faults() -> None:
    """What the property is about does happen in it."""

    async def played() -> tuple[History, set[ShardId]]:
        history = History(7, 150, 0.02)
        seen: set[str] = set()
        for _ in range(6):
            await history.own()
            seen |= {name for name in history.items.items if name.startswith(PART)}
            await history.meddle()
        return history, seen

    history, seen = asyncio.run(played())
    assert len(seen) > 5
    assert history.former
