"""Stream records as JSON ⇄ changes; pure, the same for a page of GetRecords, a Lambda event and a dead letter.

Only what decides is decoded: the key, the sequence number, the time. Images are cut out as bytes. A record that can't
be understood never spoils the others of its page (E33).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from service.dynamodb_json.keys import KeyReader
from service.dynamodb_json.record_text import TTL_PRINCIPAL
from service.model import Change, Effect, Image, KeyAttribute, Page, SequenceNumber, ShardId, Unreadable, ViewType

# Field names and event names: botocore, dynamodbstreams 2012-08-10, shapes Record, StreamRecord, OperationType.
_IS_REMOVAL = {"INSERT": False, "MODIFY": False, "REMOVE": True}
_PUT, _DELETE, _LOOK_UP = Effect.PUT, Effect.DELETE, Effect.LOOK_UP
_CARRIES_ITEM: dict[str | None, bool] = {view_type.value: view_type.carries_item for view_type in ViewType}

_STARTS_OF_IMAGE = (b"{", b"")

_LARGEST_SECONDS = 1e11  # above, a time can only be in milliseconds: the year 5138 in seconds, 1973 in milliseconds
_IN_SECONDS = msgspec.Meta(lt=int(_LARGEST_SECONDS))


class _StreamRecord(msgspec.Struct, gc=False, kw_only=True):
    ApproximateCreationDateTime: int | float | str | None = None
    Keys: msgspec.Raw = msgspec.Raw()
    NewImage: msgspec.Raw = msgspec.Raw()
    OldImage: msgspec.Raw = msgspec.Raw()
    SequenceNumber: str = ""
    SizeBytes: int | None = None
    StreamViewType: str | None = None


class _Record(msgspec.Struct, gc=False, kw_only=True):
    dynamodb: _StreamRecord
    eventID: str | None = None  # noqa: N815  the service's spelling
    eventName: str = ""  # noqa: N815  the service's spelling
    eventVersion: str | None = None  # noqa: N815  the service's spelling
    awsRegion: str | None = None  # noqa: N815  the service's spelling
    userIdentity: msgspec.Raw = msgspec.Raw()  # noqa: N815  the service's spelling


class _PlainStreamRecord(_StreamRecord, gc=False, kw_only=True, forbid_unknown_fields=True):
    ApproximateCreationDateTime: Annotated[int, _IN_SECONDS] | Annotated[float, _IN_SECONDS]
    StreamViewType: Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"] | None = None


class _PlainRecord(_Record, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What DynamoDB's stream has today: a change has a field for each of it. Other records are kept as a whole.

    A Literal costs no string: msgspec answers with the one that is written here.
    """

    dynamodb: _PlainStreamRecord
    eventName: Literal["INSERT", "MODIFY", "REMOVE"]  # noqa: N815  the service's spelling
    eventSource: Literal["aws:dynamodb"]  # noqa: N815  the service's spelling
    eventVersion: Literal["1.0", "1.1"] | None = None  # noqa: N815  the service's spelling


class _Identity(msgspec.Struct):
    # botocore's shape Identity has capitals, the API reference's examples have none: both are seen
    Type: str | None = None
    PrincipalId: str | None = None
    type: str | None = None
    principalId: str | None = None  # noqa: N815  the service's spelling


class _Page(msgspec.Struct, gc=False):
    Records: list[_PlainRecord]
    NextShardIterator: str | None = None


class _RawPage(msgspec.Struct):
    Records: list[msgspec.Raw]
    NextShardIterator: str | None = None


# A NewType is a function in Python, and this is done for each record: the bytes' own constructor does the same.
_image: Callable[[msgspec.Raw], Image] = bytes  # type: ignore[assignment]

_PAGE = msgspec.json.Decoder(_Page)
_RAW_PAGE = msgspec.json.Decoder(_RawPage)
_RECORD = msgspec.json.Decoder(_Record)
_IDENTITY = msgspec.json.Decoder(_Identity | None)


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
        except msgspec.DecodeError:
            return self._page_of(shard_id, _raw_page(body), len(body))
        changes: list[Change] = []
        unreadable: list[tuple[int, Unreadable]] = []
        for index, record in enumerate(page.Records):
            try:
                changes.append(self._change(shard_id, record))
            except ValueError as error:
                raw = bytes(_RAW_PAGE.decode(body).Records[index])
                unreadable.append((len(changes), self._unreadable(shard_id, raw, error)))
        return Page(changes, _in_order(changes, unreadable), page.NextShardIterator, len(body))

    def read(self, shard_id: ShardId, record: bytes) -> Change | Unreadable:
        """One record as JSON: of a Lambda event, or of a dead letter (`record_of`)."""
        try:
            return self._change(shard_id, _RECORD.decode(record), record)
        except ValueError as error:
            return self._unreadable(shard_id, record, error)

    def _page_of(self, shard_id: ShardId, page: _RawPage, size: int) -> Page:
        """One record after the other, each by itself."""
        changes: list[Change] = []
        unreadable: list[tuple[int, Unreadable]] = []
        for raw in page.Records:
            found = self.read(shard_id, bytes(raw))
            if isinstance(found, Change):
                changes.append(found)
            else:
                unreadable.append((len(changes), found))
        return Page(changes, _in_order(changes, unreadable), page.NextShardIterator, size)

    def _change(self, shard_id: ShardId, record: _Record, whole: bytes | None = None) -> Change:
        """Raises ValueError, with what is wrong, for a record that can't be understood.

        `whole`, the record as it came, is kept with the change where its fields may not be all that the record says.
        """
        stream, name, identity = record.dynamodb, record.eventName, bytes(record.userIdentity)
        keys, new, old = bytes(stream.Keys), _image(stream.NewImage), _image(stream.OldImage)
        key = self._key_of(keys)
        is_removal = _IS_REMOVAL.get(name)
        if is_removal is None:
            raise ValueError(f"unknown eventName {name[:40]!r}")
        if new[:1] not in _STARTS_OF_IMAGE:
            if new != b"null":
                raise ValueError(f"the NewImage of the {name} record is no item")
            new = Image(b"")
        if not _CARRIES_ITEM.get(stream.StreamViewType, self._carries_item):
            effect = _LOOK_UP
        elif is_removal:
            effect = _DELETE
        elif new:
            effect = _PUT
        else:
            raise ValueError(f"the {name} record has no NewImage")
        created = stream.ApproximateCreationDateTime
        return Change(
            shard_id,
            SequenceNumber.parse(stream.SequenceNumber),
            effect,
            key,
            new or None,
            created
            if (type(created) is float or type(created) is int) and 0 <= created < _LARGEST_SECONDS
            else _seconds(created),
            len(key) + len(new) + len(old) + (len(whole) if whole else 0),
            name,
            bool(identity) and _is_ttl(_IDENTITY.decode(identity)),
            old or None,
            record.eventID,
            record.eventVersion,
            record.awsRegion,
            stream.StreamViewType,
            stream.SizeBytes,
            None if keys == key else keys,
            identity or None,
            whole,
        )

    def _unreadable(self, shard_id: ShardId, record: bytes, error: ValueError) -> Unreadable:
        """Whatever can still be told about a record, each part by itself."""
        name, number, key, told = "", None, None, str(error)[:300]
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            outer = json.loads(record)  # which takes half of a surrogate pair, too
            if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
                told = "it holds text that is no Unicode, such as half of a surrogate pair"
            name = str(outer.get("eventName", ""))[:40]
            inner = outer["dynamodb"]
            with contextlib.suppress(ValueError):
                number = SequenceNumber.parse(str(inner.get("SequenceNumber", "")))
            if "Keys" not in inner:
                told = "the record has no Keys"
            key = self._key_of(json.dumps(inner["Keys"]).encode())
        return Unreadable(shard_id, number, name, record, told, key)


def _raw_page(body: bytes) -> _RawPage:
    """Whatever is in the records; text that is no Unicode spoils its own record only. Raises ValueError if no page."""
    try:
        return _RAW_PAGE.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        page = json.loads(body)
    if not isinstance(page, dict):
        raise ValueError("a page that is no object")  # noqa: TRY004  as any other body that is no page
    records = [msgspec.Raw(json.dumps(record, separators=(",", ":")).encode()) for record in page["Records"]]
    return _RawPage(records, page.get("NextShardIterator"))


def _in_order(changes: list[Change], unreadable: list[tuple[int, Unreadable]]) -> list[Unreadable]:
    """Each with its place among the changes. A number that is not between its neighbours' is none: it is damaged, too,
    and a checkpoint that took it for its place would pass what follows.
    """
    known, before = [], 0
    for place, record in unreadable:
        before = max(before, changes[place - 1].sequence if place else 0)
        number = record.sequence
        if number is not None and before < number and (place == len(changes) or number < changes[place].sequence):
            before = number
        else:
            record = msgspec.structs.replace(record, sequence=None)
        known.append(record)
    return known


def _is_ttl(identity: _Identity | None) -> bool:
    if identity is None:
        return False
    kind, principal = identity.Type or identity.type, identity.PrincipalId or identity.principalId
    return kind == "Service" and principal == TTL_PRINCIPAL


def _seconds(created: float | str | None) -> float:
    """Seconds since the epoch; 0.0 for a time that is missing or no time: the guard takes such a change as old."""
    if isinstance(created, float | int):
        seconds = created / 1000 if _LARGEST_SECONDS < created < _LARGEST_SECONDS * 1000 else created
        return float(seconds) if 0 <= seconds < _LARGEST_SECONDS else 0.0
    if created is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
