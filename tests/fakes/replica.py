"""The replica: a table that takes conditional and batched writes, and remembers every state that a reader could see."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from service.errors import BatchRefusedError, ChangeError, ItemTooLargeError, ThrottledError
from service.model import (
    Absent,
    AsSeen,
    Condition,
    Delete,
    Image,
    ItemKey,
    ItemWrite,
    KeyAttribute,
    Older,
    Put,
    Seen,
    Written,
)
from service.ports import Clock
from tests.fakes.clock import Jitter
from tests.fakes.images import STRING_KEY, Item, comparable, image_of, item_of, item_size
from tests.fakes.table import FakeTable

ITEM_BYTES = 400 * 1024  # Developer Guide, "Service quotas": item size
BATCH_WRITES = 25  # botocore, dynamodb 2012-08-10, shape WriteRequests: max 25
BATCH_BYTES = 16 * 1024 * 1024  # API reference, BatchWriteItem
_COMPARED_ATTRIBUTES = 100  # see service.model.AsSeen


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """What a reader could see from a moment on. `is_foreign`: not the service's doing, but the test's."""

    at: float
    image: Image | None
    is_foreign: bool = False


class FakeReplica(FakeTable):
    """ports.ReplicaTable. What a test may set: `poison`, `leaves_unprocessed`; and look at: `history`, `writes`."""

    def __init__(
        self,
        clock: Clock,
        keys: Sequence[KeyAttribute] = STRING_KEY,
        *,
        name: str = "replica-table",
        sequence_attribute: str = "dynamirror_sequence",
        seed: int = 0,
        jitter: Jitter | None = None,
    ) -> None:
        super().__init__(name, keys, jitter=jitter)
        self.clock = clock
        self.sequence_attribute = sequence_attribute
        self.history: dict[ItemKey, list[ReplicaState]] = {}
        self.writes: Counter[ItemKey] = Counter()
        """Writes that took effect, a key."""
        self.overlaps: set[ItemKey] = set()
        """Keys that had two writes on their way at once."""
        self.poison: Callable[[ItemWrite], ChangeError | None] = lambda write: None
        """Which writes the table will not take, and why; in a batch, the whole batch."""
        self.unlisted_indexes: dict[str, tuple[KeyAttribute, ...]] = {}
        """Indexes that refuse, while DescribeTable, which is eventually consistent, does not know them yet."""
        self.leaves_unprocessed: Callable[[ItemWrite], bool] = lambda write: False
        """Which writes of a batch are handed back (E38)."""
        self._in_flight: Counter[ItemKey] = Counter()
        self._random = random.Random(seed)

    def preset(self, *items: Item) -> None:
        """Put items there that the service did not write: from before, or as damage."""
        for item in items:
            self._keep(self.key(item), image_of(item), is_foreign=True)

    def lose(self, key: Item) -> None:
        """Take an item away behind the service's back."""
        self._keep(self.key(key), None, is_foreign=True)

    def recreate(self) -> None:
        """Deleted and created anew by hand: the same name, another table, empty."""
        for found in list(self.items):
            self._keep(found, None, is_foreign=True)
        self.table_id += "-anew"

    # --- the port

    async def write_batch(self, writes: Sequence[ItemWrite]) -> list[ItemKey]:
        keys = [write.key for write in writes]
        assert 1 <= len(writes) <= BATCH_WRITES, f"the service refuses a batch of {len(writes)} writes"
        assert len(set(keys)) == len(keys), "the service refuses a batch with two writes of one key (E36)"
        assert sum(_size(write) for write in writes) <= BATCH_BYTES, "the service refuses a batch of over 16 MB (E37)"
        with self._writing(keys):
            await self._begin("write_batch")
            for write in writes:
                error = self._objection(write)
                if error is not None:
                    raise BatchRefusedError(f"the batch was refused: {error}") from error
            unprocessed = [write.key for write in writes if self.leaves_unprocessed(write)]
            if len(unprocessed) == len(writes):
                raise ThrottledError("none of the batch was processed", "ProvisionedThroughputExceededException")
            await self._apply_all([write for write in writes if write.key not in unprocessed])
            await self._jitter.pause()
        return unprocessed

    async def put(self, write: Put, condition: Condition | None) -> Written | Seen:
        return await self._write_one("put", write, condition)

    async def delete(self, write: Delete, condition: Condition | None) -> Written | Seen:
        return await self._write_one("delete", write, condition)

    # --- inside

    async def _apply_all(self, writes: list[ItemWrite]) -> None:
        """A batch is not atomic: others may look, and write, between two of its items."""
        for write in self._random.sample(writes, len(writes)):
            self._apply(write)
            if self._random.random() < 0.2:
                await self._jitter.pause()

    async def _write_one(self, call: str, write: ItemWrite, condition: Condition | None) -> Written | Seen:
        with self._writing([write.key]):
            await self._begin(call)
            error = self._objection(write)
            if error is not None:
                raise error
            found = self.items.get(write.key)
            holds = condition is None or self._holds(condition, found)
            if holds:
                self._apply(write)
            await self._jitter.pause()
        return Written.YES if holds else Seen(found)

    def _holds(self, condition: Condition, found: Image | None) -> bool:
        if isinstance(condition, Absent):
            return found is None
        if found is None:
            return False
        item = item_of(found)
        if isinstance(condition, Older):  # strings compare as strings; what is not there compares with nothing
            stored = item.get(self.sequence_attribute, {}).get("S")
            return stored is not None and stored < condition.than.guard
        assert isinstance(condition, AsSeen)
        seen = item_of(condition.item)
        compared = [*list(seen)[:_COMPARED_ATTRIBUTES], self.sequence_attribute]
        return all(_attribute(item, name) == _attribute(seen, name) for name in compared)

    def _objection(self, write: ItemWrite) -> ChangeError | None:
        if isinstance(write, Put):
            size = item_size(item_of(write.item))
            if size > ITEM_BYTES:
                return ItemTooLargeError(f"the item has {size} bytes, at most {ITEM_BYTES} are allowed")
            assert self.key(item_of(write.item)) == write.key, "a put's key is its item's"
            if (mismatch := self._mismatch(item_of(write.item))) is not None:
                return mismatch
        return self.poison(write)

    def _mismatch(self, item: Item) -> ChangeError | None:
        """As DynamoDB refuses an attribute of another type than an index is keyed on."""
        for index, keys in {**self.indexes, **self.unlisted_indexes}.items():
            for key in keys:
                kind = next(iter(item.get(key.name, {key.type: None})))
                if kind != key.type:
                    return ChangeError(
                        f"Type mismatch for Index Key {key.name} Expected: {key.type} Actual: {kind} IndexName: {index}"
                    )
        return None

    def _apply(self, write: ItemWrite) -> None:
        self.writes[write.key] += 1
        self._keep(write.key, write.item if isinstance(write, Put) else None)

    def _keep(self, key: ItemKey, image: Image | None, *, is_foreign: bool = False) -> None:
        self.history.setdefault(key, []).append(ReplicaState(self.clock.now(), image, is_foreign))
        if image is None:
            self.items.pop(key, None)
        else:
            self.items[key] = image

    @contextmanager
    def _writing(self, keys: Sequence[ItemKey]) -> Iterator[None]:
        self._in_flight.update(keys)
        self.overlaps.update(key for key in keys if self._in_flight[key] > 1)
        try:
            yield
        finally:
            self._in_flight.subtract(keys)


def _attribute(item: Item, name: str) -> object:
    return comparable(item[name]) if name in item else None


def _size(write: ItemWrite) -> int:
    return len(write.item) if isinstance(write, Put) else len(write.key)
