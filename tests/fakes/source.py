"""The source: a table whose every change becomes a record of its stream."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from service.dynamodb_json.records import RecordReader
from service.model import (
    Change,
    Effect,
    Image,
    ItemKey,
    KeyAttribute,
    SequenceNumber,
    StreamStatus,
    TableDescription,
    Unreadable,
    ViewType,
)
from service.ports import Clock
from tests.fakes.clock import Jitter
from tests.fakes.images import STRING_KEY, Item, content_of, image_of
from tests.fakes.shards import SequenceNumbers
from tests.fakes.stream import FakeStream, Timing
from tests.fakes.table import FakeTable


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the source held of a key from a moment on. Without a sequence number: before the stream."""

    at: float
    image: Image | None
    sequence: SequenceNumber | None


class FakeSource(FakeTable):
    """ports.Table of the source; `stream` is its ports.Streams. Writes are the test's, and take effect at once.

    `history` keeps every state of every key, for the judges.
    """

    def __init__(
        self,
        clock: Clock,
        keys: Sequence[KeyAttribute] = STRING_KEY,
        *,
        name: str = "master-table",
        view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES,
        seed: int = 0,
        shards: int = 1,
        first_sequence: int | None = None,
        timing: Timing | None = None,
        jitter: Jitter | None = None,
    ) -> None:
        super().__init__(name, keys, jitter=jitter)
        self.clock = clock
        self.creation_step_seconds = 1.0
        """Creation times are rounded down to it: to the second (E31), or to the minute as on DynamoDB Local."""
        self.history: dict[ItemKey, list[SourceState]] = {}
        self._seed = seed
        self._timing = timing or Timing()
        self._random = random.Random(seed)
        self._first_sequence = first_sequence
        self._streams = 0
        self.stream = self._new_stream(view_type, shards, SequenceNumbers(seed, first=first_sequence))

    def preset(self, *items: Item) -> None:
        """Items from before the stream: no records."""
        for item in items:
            self._keep(self.key(item), image_of(item), None)

    def put(self, item: Item) -> SequenceNumber | None:
        """Write an item; None, and no record, when it changes nothing (Developer Guide, Streams; E47)."""
        key, image = self.key(item), image_of(item)
        old = self.items.get(key)
        if content_of(old) == content_of(image):
            return None
        return self._record("INSERT" if old is None else "MODIFY", key, image, old)

    def delete(self, key: Item | ItemKey, *, is_ttl: bool = False) -> SequenceNumber | None:
        """Delete an item; None, and no record, when there is none."""
        item_key = ItemKey(key) if isinstance(key, bytes) else self.key(key)
        old = self.items.get(item_key)
        if old is None:
            return None
        return self._record("REMOVE", item_key, None, old, is_ttl=is_ttl)

    def add_unreadable(
        self, key: Item, event_name: str = "EXPLODE", *, is_numbered: bool = True, **inside: object
    ) -> SequenceNumber:
        """A record that nobody understands (E33); the item stays as it is. `inside`: more of its content, or other."""
        sequence, item_key = self.stream.sequences.next(), self.key(key)
        shard_id = self.stream.shard_of(item_key).shard_id
        stream_record = {"SequenceNumber": str(sequence), "Keys": orjson.loads(item_key)} | inside
        if not is_numbered:
            del stream_record["SequenceNumber"]
        record = orjson.dumps({"eventName": event_name, "dynamodb": stream_record})
        content = RecordReader(self.keys).read(shard_id, record)
        assert isinstance(content, Unreadable)
        self.stream.append(item_key, content, len(record), sequence)
        return sequence

    def recreate_stream(
        self, view_type: ViewType | None = None, *, shards: int = 1, restarts_numbers: bool = False
    ) -> FakeStream:
        """Turn the stream off and on: the old one only drains, the new one has another ARN and no history (E25).

        Nothing says whether the numbers of the new one are greater (E30): `restarts_numbers` makes them small.
        """
        old = self.stream
        old.disable()
        fresh = SequenceNumbers(self._seed + self._streams, first=self._first_sequence)
        numbers = fresh if restarts_numbers else old.sequences
        self.stream = self._new_stream(view_type or old.view_type, shards, numbers)
        return self.stream

    def _new_stream(self, view_type: ViewType, shards: int, sequences: SequenceNumbers) -> FakeStream:
        self._streams += 1
        return FakeStream(
            self.clock,
            f"{self.arn}/stream/2025-06-15T15:06:{self._streams:02d}.000",
            view_type,
            seed=self._seed + self._streams,
            shards=shards,
            sequences=sequences,
            timing=self._timing,
            jitter=self._jitter,
        )

    def _record(
        self, event_name: str, key: ItemKey, image: Image | None, old: Image | None, *, is_ttl: bool = False
    ) -> SequenceNumber:
        sequence = self.stream.sequences.next()
        self._keep(key, image, sequence)
        if self.stream.status is StreamStatus.ENABLED:
            change = self._change(event_name, key, image, old, sequence, is_ttl)
            self.stream.append(key, change, change.size)
        return sequence

    def _change(
        self,
        event_name: str,
        key: ItemKey,
        image: Image | None,
        old: Image | None,
        sequence: SequenceNumber,
        is_ttl: bool,
    ) -> Change:
        view = self.stream.view_type
        effect = Effect.LOOK_UP
        if view.carries_item:
            effect = Effect.DELETE if image is None else Effect.PUT
        shown_image = image if view.carries_item else None
        shown_old = old if view in (ViewType.OLD_IMAGE, ViewType.NEW_AND_OLD_IMAGES) else None
        return Change(
            shard_id=self.stream.shard_of(key).shard_id,
            sequence=sequence,
            effect=effect,
            key=key,
            image=shown_image,
            created_at=self.clock.now() // self.creation_step_seconds * self.creation_step_seconds,
            size=len(key) + len(shown_image or b"") + len(shown_old or b""),
            event_name=event_name,
            is_ttl_delete=is_ttl,
            old_image=shown_old,
        )

    def _keep(self, key: ItemKey, image: Image | None, sequence: SequenceNumber | None) -> None:
        states = self.history.setdefault(key, [])
        if sequence is not None and not states:
            states.append(SourceState(0.0, None, None))
        states.append(SourceState(self.clock.now() if sequence is not None else 0.0, image, sequence))
        if image is None:
            self.items.pop(key, None)
        else:
            self.items[key] = image

    def _description(self) -> TableDescription:
        described = super()._description()
        if self.stream.status is not StreamStatus.ENABLED:
            return described
        return replace(described, stream_arn=self.stream.arn, view_type=self.stream.view_type)
