"""Stream records as JSON ⇄ changes; pure, the same for a page of GetRecords, a Lambda event and a dead letter.

Only what decides is decoded: the key, the sequence number, the time. Images are cut out as bytes. A record that can't
be understood never spoils the others of its page (E33).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from service.keys import KeyReader
from service.model import (
    Change,
    Effect,
    Image,
    KeyAttribute,
    Page,
    SequenceNumber,
    ShardId,
    Unreadable,
    ViewType,
)

# Field names and event names: botocore, dynamodbstreams 2012-08-10, shapes Record, StreamRecord, OperationType.
_IS_REMOVAL = {"INSERT": False, "MODIFY": False, "REMOVE": True}
_CARRIES_ITEM: dict[str | None, bool] = {view_type.value: view_type.carries_item for view_type in ViewType}
# What userIdentity says of a delete by Time to Live (API reference, Record).
_TTL_PRINCIPAL = "dynamodb.amazonaws.com"
_LARGEST_SECONDS = 1e11  # above, a time can only be in milliseconds: the year 5138 in seconds, 1973 in milliseconds


class _StreamRecord(msgspec.Struct, gc=False):
    ApproximateCreationDateTime: float | str | None = None
    Keys: msgspec.Raw = msgspec.Raw()
    NewImage: msgspec.Raw = msgspec.Raw()
    OldImage: msgspec.Raw = msgspec.Raw()
    SequenceNumber: str = ""
    StreamViewType: str | None = None


class _Identity(msgspec.Struct):
    # botocore's shape Identity has capitals, the API reference's examples have none: both are seen
    Type: str | None = None
    PrincipalId: str | None = None
    type: str | None = None
    principalId: str | None = None  # noqa: N815  the service's spelling


class _Record(msgspec.Struct, gc=False):
    dynamodb: _StreamRecord
    eventName: str = ""  # noqa: N815  the service's spelling
    userIdentity: _Identity | None = None  # noqa: N815  the service's spelling


class _Page(msgspec.Struct, gc=False):
    Records: list[_Record]
    NextShardIterator: str | None = None


class _RawPage(msgspec.Struct):
    Records: list[msgspec.Raw]
    NextShardIterator: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_RAW_PAGE = msgspec.json.Decoder(_RawPage)
_RECORD = msgspec.json.Decoder(_Record)


class RecordReader:
    """Reads the records of one table's stream. Immutable; may be shared.

    `view_type` counts for records that do not name theirs.
    """

    def __init__(self, keys: Iterable[KeyAttribute], view_type: ViewType | None = None) -> None:
        self._key_of = KeyReader(keys).read
        self._carries_item = (view_type or ViewType.NEW_AND_OLD_IMAGES).carries_item

    def page(self, shard_id: ShardId, body: bytes) -> Page:
        """An answer of GetRecords. Raises ValueError when it is not even a list of records."""
        try:
            page = _PAGE.decode(body)
        except msgspec.ValidationError:
            return self._page_with_oddities(shard_id, body)
        changes: list[Change] = []
        unreadable: list[Unreadable] = []
        for index, record in enumerate(page.Records):
            try:
                changes.append(self._change(shard_id, record))
            except ValueError as error:
                raw = bytes(_RAW_PAGE.decode(body).Records[index])
                unreadable.append(self._unreadable(shard_id, raw, error))
        return Page(changes, unreadable, page.NextShardIterator, len(body))

    def read(self, shard_id: ShardId, record: bytes) -> Change | Unreadable:
        """One record as JSON: of a Lambda event, or of a dead letter (`record_of`)."""
        try:
            return self._change(shard_id, _RECORD.decode(record))
        except ValueError as error:
            return self._unreadable(shard_id, record, error)

    def _page_with_oddities(self, shard_id: ShardId, body: bytes) -> Page:
        page = _RAW_PAGE.decode(body)
        changes: list[Change] = []
        unreadable: list[Unreadable] = []
        for raw in page.Records:
            found = self.read(shard_id, bytes(raw))
            if isinstance(found, Change):
                changes.append(found)
            else:
                unreadable.append(found)
        return Page(changes, unreadable, page.NextShardIterator, len(body))

    def _change(self, shard_id: ShardId, record: _Record) -> Change:
        """Raises ValueError, with what is wrong, for a record that can't be understood."""
        stream, name, identity = record.dynamodb, record.eventName, record.userIdentity
        key, new, old = self._key_of(stream.Keys), bytes(stream.NewImage), bytes(stream.OldImage)
        is_removal = _IS_REMOVAL.get(name)
        if is_removal is None:
            raise ValueError(f"unknown eventName {name[:40]!r}")
        if not _CARRIES_ITEM.get(stream.StreamViewType, self._carries_item):
            effect = Effect.LOOK_UP
        elif is_removal:
            effect = Effect.DELETE
        elif new:
            effect = Effect.PUT
        else:
            raise ValueError(f"the {name} record has no NewImage")
        created = stream.ApproximateCreationDateTime
        return Change(
            shard_id,
            SequenceNumber.parse(stream.SequenceNumber),
            effect,
            key,
            Image(new) if new else None,
            created if type(created) is float and created < _LARGEST_SECONDS else _seconds(created),
            len(key) + len(new) + len(old),
            name,
            identity is not None and _is_ttl(identity),
            Image(old) if old else None,
        )

    def _unreadable(self, shard_id: ShardId, record: bytes, error: ValueError) -> Unreadable:
        """Whatever can still be told about a record, each part by itself."""
        name, number, key = "", None, None
        try:
            outer = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
            name = str(_decoded(outer.get("eventName"), ""))[:40]
            inner = msgspec.json.decode(outer["dynamodb"], type=dict[str, msgspec.Raw])
            number = SequenceNumber.parse(str(_decoded(inner.get("SequenceNumber"), "")))
        except (ValueError, KeyError):
            inner = {} if number is None else inner
        if "Keys" in inner:
            try:
                key = self._key_of(inner["Keys"])
            except ValueError:
                key = None
        return Unreadable(shard_id, number, name, record, str(error)[:300], key)


def record_of(change: Change) -> bytes:
    """The change as a stream record in JSON, for a dead letter; `RecordReader.read` makes the same change of it."""
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": change.created_at,
        "Keys": msgspec.Raw(change.key),
        "SequenceNumber": str(change.sequence),
        "StreamViewType": _view_type_of(change),
    }
    if change.image is not None:
        stream["NewImage"] = msgspec.Raw(change.image)
    if change.old_image is not None:
        stream["OldImage"] = msgspec.Raw(change.old_image)
    record: dict[str, Any] = {"eventName": change.event_name, "eventSource": "aws:dynamodb", "dynamodb": stream}
    if change.is_ttl_delete:
        record["userIdentity"] = {"type": "Service", "principalId": _TTL_PRINCIPAL}
    return msgspec.json.encode(record)


def _view_type_of(change: Change) -> ViewType:
    """A view type with which the change's effect reads back as it is."""
    if change.effect is Effect.LOOK_UP:
        return ViewType.KEYS_ONLY if change.old_image is None else ViewType.OLD_IMAGE
    return ViewType.NEW_IMAGE if change.old_image is None else ViewType.NEW_AND_OLD_IMAGES


def _is_ttl(identity: _Identity) -> bool:
    kind, principal = identity.Type or identity.type, identity.PrincipalId or identity.principalId
    return kind == "Service" and principal == _TTL_PRINCIPAL


def _decoded(raw: msgspec.Raw | None, default: str) -> Any:
    return default if raw is None else msgspec.json.decode(raw)


def _seconds(created: float | str | None) -> float:
    """Seconds since the epoch; 0.0 for a time that is missing or no time: the guard takes such a change as old."""
    if isinstance(created, float):
        return created / 1000 if created > _LARGEST_SECONDS else created
    if created is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
