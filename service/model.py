"""The values that travel through the flow: frozen, typed, and free of AWS's dictionaries.

Item images stay what they were on the wire: bytes of DynamoDB JSON that nobody decodes unless somebody has to
look inside. That keeps every attribute value exact (I6) and the flow fast.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType

import msgspec

ShardId = NewType("ShardId", str)
ItemKey = NewType("ItemKey", bytes)
"""An item's key as canonical DynamoDB JSON, key attributes in key-schema order: `{"key":{"S":"key1"}}`.

Equal keys are equal bytes (the number 1.0 is the number 1), and the bytes serve as a request's `Key` unchanged.
"""
Image = NewType("Image", bytes)
"""A whole item as DynamoDB JSON (`{"key":{"S":"key1"},"value":{"N":"1"}}`), untouched since the wire."""


class SequenceNumber(int):
    """A stream record's place in its shard: 21 to 40 digits, ordered as a number, never as text.

    Source of the digits: botocore, dynamodbstreams 2012-08-10, shape SequenceNumber (min 21, max 40). `str()` gives
    them back exactly as they came: the emulators pad with zeros, and refuse the same number without them. It has no
    `__dict__`, so that a queue full of them is nothing to the garbage collector.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> SequenceNumber:
        """Raise ValueError, with what was expected, unless the text is 1 to 40 ASCII digits."""
        length = len(text)
        if length == _SHORTEST and text.isdigit() and text.isascii():
            return cls(text)
        if not (text.isascii() and text.isdigit() and length <= 40):
            raise ValueError(f"not a sequence number: {text[:60]!r} (expected 21 to 40 digits)")
        if length > _SHORTEST and text[0] != "0":
            return cls(text)
        return _OddlySpelled.of(text)

    @property
    def guard(self) -> str:
        """40 digits, so that DynamoDB compares the strings in the order of the numbers (a Number holds only 38)."""
        return f"{self:040d}"

    def __str__(self) -> str:
        return f"{self:021d}"

    __repr__ = __str__


class _OddlySpelled(SequenceNumber):
    """One that is shorter than the shortest, or padded to more: it remembers how it was spelled."""

    _text: str

    @classmethod
    def of(cls, text: str) -> _OddlySpelled:
        number = cls(text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


_SHORTEST = 21


RETENTION_HOURS = 24
RETENTION_SECONDS = RETENTION_HOURS * 3600.0
"""DynamoDB Streams keeps records for 24 hours (Developer Guide, "Change data capture for DynamoDB Streams")."""


class ViewType(enum.StrEnum):
    """What a stream's records carry; fixed for a stream's life (API reference, StreamSpecification)."""

    KEYS_ONLY = "KEYS_ONLY"
    NEW_IMAGE = "NEW_IMAGE"
    OLD_IMAGE = "OLD_IMAGE"
    NEW_AND_OLD_IMAGES = "NEW_AND_OLD_IMAGES"

    @property
    def carries_item(self) -> bool:
        """False means that the item must be read from the source."""
        return self in (ViewType.NEW_IMAGE, ViewType.NEW_AND_OLD_IMAGES)


class Effect(enum.Enum):
    """What a change does to the replica's item."""

    PUT = "put"
    DELETE = "delete"
    LOOK_UP = "look up"
    """The record has no image (KEYS_ONLY, OLD_IMAGE): the source's present item decides between put and delete."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One stream record. `image` is there exactly for a PUT; `size` is what it counts against the queue, in bytes."""

    shard_id: ShardId
    sequence: SequenceNumber
    effect: Effect
    key: ItemKey
    image: Image | None
    created_at: float
    """Seconds since the epoch on the source's clock, rounded down by the service to a second (a minute on
    DynamoDB Local), as its documentation of ApproximateCreationDateTime says."""
    size: int
    event_name: str = ""
    is_ttl_delete: bool = False
    old_image: Image | None = None
    # What the record says besides, so that a dead letter can show it as it came; no field decides anything.
    event_id: str | None = None
    event_version: str | None = None
    aws_region: str | None = None
    view_type: str | None = None
    size_bytes: int | None = None
    keys: bytes | None = None
    """`Keys`, JSON, where they are not spelled as `key` is."""
    identity: bytes | None = None
    """`userIdentity`, JSON."""
    record: bytes | None = None
    """The whole record, JSON, where the fields above are not all that it says."""


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A stream record that can't be understood: kept as a dead letter, never in the way of others (E33)."""

    shard_id: ShardId
    sequence: SequenceNumber | None
    event_name: str
    record: bytes
    """The whole record as it came, JSON."""
    error: str
    key: ItemKey | None = None


class Page(msgspec.Struct, frozen=True):
    """One answer of GetRecords. `next_iterator` None means that the shard is closed and read to its end (E3)."""

    changes: list[Change]
    unreadable: list[Unreadable]
    next_iterator: str | None
    size: int = 0
    """Bytes of the whole answer."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as DescribeStream lists it."""

    shard_id: ShardId
    parent_id: ShardId | None = None
    starting: SequenceNumber | None = None
    ending: SequenceNumber | None = None
    """None while the shard is open (an open shard's range has no end)."""

    @property
    def is_open(self) -> bool:
        return self.ending is None


class StreamStatus(enum.StrEnum):
    ENABLING = "ENABLING"
    ENABLED = "ENABLED"
    DISABLING = "DISABLING"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class StreamDescription:
    arn: str
    status: StreamStatus
    view_type: ViewType
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    name: str
    type: str
    """`S`, `N` or `B`."""


@dataclass(frozen=True, slots=True)
class TableDescription:
    """What start-up checks compare. `keys` is the hash key, then the range key if there is one."""

    name: str
    arn: str
    region: str
    keys: tuple[KeyAttribute, ...]
    stream_arn: str | None = None
    """The latest stream's ARN, while a stream is on; None otherwise."""
    view_type: ViewType | None = None
    item_count: int = 0
    """DynamoDB's own estimate, updated about every six hours (API reference, TableDescription)."""
    size_bytes: int = 0
    """Estimated and updated in the same way."""
    table_id: str = ""
    """Tells a table from another one that has its name later; empty where a server tells nothing of the kind."""
    status: str = "ACTIVE"
    """As DynamoDB names it: `CREATING`, `ACTIVE`, …"""
    indexes: Mapping[str, tuple[KeyAttribute, ...]] = field(default_factory=dict)
    """The keys of its secondary indexes, global and local, by the index's name."""

    @property
    def key_text(self) -> str:
        """For people: `pk (S), sk (N)`."""
        return ", ".join(f"{key.name} ({key.type})" for key in self.keys)


class StartAt(enum.StrEnum):
    """Where a shard's reading begins while nothing of it has been read."""

    TRIM_HORIZON = "trim_horizon"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Position:
    """From where a shard is read: after a sequence number, or from a start.

    `after` wins; `since` is when its record was created then, in seconds since the epoch, 0.0 where that is not known.
    `start` LATEST means: changes created at or after `since`, so that a position without a sequence number survives an
    expired iterator and a restart (E6).
    """

    after: SequenceNumber | None = None
    start: StartAt = StartAt.TRIM_HORIZON
    since: float = 0.0


class Put(msgspec.Struct, frozen=True, gc=False):
    """Write this whole item. `item` carries its metadata attributes already."""

    key: ItemKey
    item: Image


class Delete(msgspec.Struct, frozen=True, gc=False):
    key: ItemKey


ItemWrite = Put | Delete


@dataclass(frozen=True, slots=True)
class Older:
    """The replica's item carries an older sequence number than this one."""

    than: SequenceNumber


@dataclass(frozen=True, slots=True)
class Absent:
    """The replica has no such item."""


@dataclass(frozen=True, slots=True)
class AsSeen:
    """The replica's item still is what was seen (its attributes, up to the first hundred, and its number)."""

    item: Image


Condition = Older | Absent | AsSeen


class Written(enum.Enum):
    """A conditional write took effect."""

    YES = "yes"


@dataclass(frozen=True, slots=True)
class Seen:
    """A condition failed; this is what the replica held instead (None: no item). Nothing was written."""

    item: Image | None


class ScanPage(msgspec.Struct, frozen=True):
    """A page of a table scan. `next_key` None means that the segment is finished."""

    items: list[tuple[ItemKey, Image]]
    next_key: ItemKey | None
    size: int = 0
