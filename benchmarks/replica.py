"""The stub's replica: its items, how far each key has come, and whether one went back (I1)."""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.conditions import ConditionalWrite
from service.dynamodb_json.keys import KeyReader
from service.model import ItemKey, KeyAttribute

_SEQUENCE = re.compile(rb'"dynamirror_sequence": ?\{"S": ?"(\d{40})"')


class _ItemRequest(msgspec.Struct):
    Item: msgspec.Raw


class _KeyRequest(msgspec.Struct):
    Key: msgspec.Raw


class _Write(msgspec.Struct):
    PutRequest: _ItemRequest | None = None
    DeleteRequest: _KeyRequest | None = None


class _Batch(msgspec.Struct):
    RequestItems: dict[str, list[_Write]]


_BATCH = msgspec.json.Decoder(_Batch)
_SINGLE = msgspec.json.Decoder(ConditionalWrite)


class Refused(Exception):
    """The condition of a write does not hold; nothing was written."""

    def __init__(self, item: bytes | None) -> None:
        super().__init__()
        self.item = item


class Replica:
    """Owned by the stub's loop. `final` is the last sequence number of each key, where a stream is to be followed."""

    def __init__(self, keys: Sequence[KeyAttribute], final: dict[ItemKey, bytes], items: Sequence[bytes]) -> None:
        self.key_of = KeyReader(tuple(keys)).read
        self._final = final
        self._missing = len(final)
        self._items: dict[ItemKey, bytes] = {self.key_of(item): item for item in items}
        self.items_written = 0
        self.order_violations = 0
        self.last_write_at = 0.0
        self.on_written: Callable[[bytes], None] = lambda sequence: None

    @property
    def is_complete(self) -> bool:
        """Every key has its last state."""
        return not self._missing

    def get(self, key: ItemKey) -> bytes | None:
        return self._items.get(key)

    def write_batch(self, body: bytes) -> None:
        for writes in _BATCH.decode(body).RequestItems.values():
            for write in writes:
                if write.PutRequest is not None:
                    self._put(write.PutRequest.Item)
                elif write.DeleteRequest is not None:
                    self._delete(write.DeleteRequest.Key)
        self.last_write_at = time.monotonic()

    def write(self, body: bytes, *, is_delete: bool) -> None:
        """PutItem or DeleteItem. Raises Refused when its condition does not hold."""
        asked = _SINGLE.decode(body)
        given = asked.Key if is_delete else asked.Item
        if asked.ConditionExpression:
            held = self._items.get(self.key_of(given))
            if not asked.holds(held):
                raise Refused(held)
        if is_delete:
            self._delete(given)
        else:
            self._put(given)
        self.last_write_at = time.monotonic()

    def _delete(self, given: msgspec.Raw) -> None:
        self.items_written += 1
        self._items.pop(self.key_of(given), None)

    def _put(self, given: msgspec.Raw) -> None:
        self.items_written += 1
        item, key = bytes(given), self.key_of(given)
        held = self._items.get(key)
        self._items[key] = item
        if (found := _SEQUENCE.search(item)) is None:
            return
        sequence = found[1]
        former = None if held is None else _SEQUENCE.search(held)
        if former is not None and sequence < former[1]:
            self.order_violations += 1
        elif sequence == self._final.get(key) and (former is None or former[1] != sequence):
            self._missing -= 1
        self.on_written(sequence)

    def page(
        self, segment: int, segments: int, after: ItemKey | None, limit: int
    ) -> tuple[list[bytes], ItemKey | None]:
        """A scan's page of what is there now, and the key after which the next one begins."""
        keys = sorted(self._items)[segment::segments]
        start = 0 if after is None else bisect_right(keys, after)
        some = keys[start : start + limit]
        return [self._items[key] for key in some], some[-1] if start + limit < len(keys) else None
