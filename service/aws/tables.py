"""The source and the replica: reads are strongly consistent, writes are spliced from bytes and never decoded.

Each method is one request (`get_many` a few), and none waits or tries again. A crash here leaves at most the
requests on their way in doubt; the guard of the next start decides those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from typing import Any

import msgspec
from botocore.utils import parse_timestamp

from service.aws.answers import is_absent, read_one_item_answer
from service.aws.calls import ask
from service.aws.error_codes import Call, ConditionFailedError
from service.aws.expressions import Conditions
from service.aws.http.wire import Wire
from service.dynamodb_json.keys import KeyReader
from service.errors import RefusedError, ThrottledError
from service.model import (
    Condition,
    Delete,
    Image,
    ItemKey,
    ItemWrite,
    KeyAttribute,
    Put,
    ScanPage,
    Seen,
    TableDescription,
    ViewType,
    Written,
)

_NOTHING = msgspec.Raw()  # what msgspec leaves for a member that is not there: it has no optional Raw


class _ItemAnswer(msgspec.Struct):
    Item: msgspec.Raw = _NOTHING


class _Keys(msgspec.Struct):
    Keys: list[msgspec.Raw]


class _BatchGetAnswer(msgspec.Struct):
    Responses: dict[str, list[msgspec.Raw]]
    UnprocessedKeys: dict[str, _Keys]  # the API reference, BatchGetItem: an empty map if there are none


class _ScanAnswer(msgspec.Struct):
    Items: list[msgspec.Raw]
    Count: int
    LastEvaluatedKey: msgspec.Raw = _NOTHING


class _PutRequest(msgspec.Struct):
    Item: msgspec.Raw


class _DeleteRequest(msgspec.Struct):
    Key: msgspec.Raw


class _WriteRequest(msgspec.Struct):
    PutRequest: _PutRequest | None = None
    DeleteRequest: _DeleteRequest | None = None


class _BatchWriteAnswer(msgspec.Struct):
    UnprocessedItems: dict[str, list[_WriteRequest]]  # the API reference, BatchWriteItem: empty if there are none


_ITEM_ANSWER = msgspec.json.Decoder(_ItemAnswer)
_BATCH_GET_ANSWER = msgspec.json.Decoder(_BatchGetAnswer)
_SCAN_ANSWER = msgspec.json.Decoder(_ScanAnswer)
_BATCH_WRITE_ANSWER = msgspec.json.Decoder(_BatchWriteAnswer)


async def describe_table(wire: Wire, table: str, role: str) -> TableDescription:
    """One DescribeTable; `table` is a name or an ARN, `role` ("source") tells people which one.

    Raises RefusedError when the table does not exist or may not be described.
    """
    call = Call("DescribeTable", f"the {role} table {table}")
    return await ask(wire, call, partial(_description, wire.region), TableName=table)


async def found_table(wire: Wire, table: str, role: str) -> TableDescription | None:
    """The same; None where there is no such table."""
    try:
        return await describe_table(wire, table, role)
    except RefusedError as error:
        if error.cause != "ResourceNotFoundException":
            raise
        return None


def _description(region: str, answer: Mapping[str, Any]) -> TableDescription:
    found: Mapping[str, Any] = answer["Table"]
    types = {item["AttributeName"]: item["AttributeType"] for item in found["AttributeDefinitions"]}
    indexes = [*found.get("GlobalSecondaryIndexes", ()), *found.get("LocalSecondaryIndexes", ())]
    stream = found.get("StreamSpecification") or {}
    is_streaming = bool(stream.get("StreamEnabled"))
    return TableDescription(
        name=found["TableName"],
        arn=found["TableArn"],
        region=region,
        keys=_keys(found, types),
        stream_arn=found["LatestStreamArn"] if is_streaming else None,
        view_type=ViewType(stream["StreamViewType"]) if is_streaming else None,
        item_count=found["ItemCount"],
        size_bytes=found.get("TableSizeBytes") or 0,
        table_id=found.get("TableId") or _made(found.get("CreationDateTime")),
        status=found["TableStatus"],
        indexes={index["IndexName"]: _keys(index, types) for index in indexes},
    )


def _made(at: Any) -> str:
    """In seconds, or as text: stands in for a TableId (botocore, dynamodb 2012-08-10, TableDescription)."""
    return "" if at is None else f"created {parse_timestamp(at).astimezone(UTC).isoformat()}"


def _keys(described: Mapping[str, Any], types: Mapping[str, str]) -> tuple[KeyAttribute, ...]:
    schema = sorted(described["KeySchema"], key=lambda item: str(item["KeyType"]))  # HASH comes before RANGE
    return tuple(KeyAttribute(item["AttributeName"], types[item["AttributeName"]]) for item in schema)


class DynamoTable:
    """One table, source or replica. Implements ports.ReplicaTable; a source is never asked to write.

    `table` is its name, or its ARN where it lives in another account. `sequence_attribute` is the one that the
    replica's items carry; empty where it is off.
    """

    def __init__(
        self, wire: Wire, table: str, keys: tuple[KeyAttribute, ...], sequence_attribute: str, role: str
    ) -> None:
        self._wire = wire
        self._table = table
        self._role = role
        self._key_reader = KeyReader(keys)
        self._conditions = Conditions(keys, sequence_attribute)
        name = msgspec.json.encode(table)
        self._start = b'{"TableName":' + name
        self._batch_start = b'{"RequestItems":{' + name
        resource = f"the {role} table {table}"
        self._get = Call("GetItem", resource)
        self._batch_get = Call("BatchGetItem", resource)
        self._scan = Call("Scan", resource)
        self._put = Call("PutItem", resource, carries_change=True)
        self._delete = Call("DeleteItem", resource, carries_change=True)
        self._batch_write = Call("BatchWriteItem", resource, carries_change=True)

    async def describe(self) -> TableDescription:
        return await describe_table(self._wire, self._table, self._role)

    async def get(self, key: ItemKey) -> Image | None:
        body = b'%b,"Key":%b,"ConsistentRead":true}' % (self._start, key)
        return await self._wire.ask(self._get, body, _item)

    async def get_many(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Image]:
        """Asks on for what an answer leaves out (one holds at most 16 MB) while that brings something."""
        found: dict[ItemKey, Image] = {}
        wanted: list[bytes] = list(keys)
        while wanted:
            body = b'%b:{"Keys":[%b],"ConsistentRead":true}}}' % (self._batch_start, b",".join(wanted))
            answer = await self._wire.ask(self._batch_get, body, _BATCH_GET_ANSWER.decode)
            for items in answer.Responses.values():
                found.update((self._key_reader.read(item), Image(bytes(item))) for item in items)
            left = [bytes(key) for unprocessed in answer.UnprocessedKeys.values() for key in unprocessed.Keys]
            if len(left) >= len(wanted):
                raise ThrottledError(f"{self._batch_get.resource} answers none of {len(left)} keys", "UnprocessedKeys")
            wanted = left
        return found

    async def scan(self, segment: int, segments: int, after: ItemKey | None, limit: int | None = None) -> ScanPage:
        body = b'%b,"Segment":%d,"TotalSegments":%d,"ConsistentRead":true' % (self._start, segment, segments)
        if limit is not None:
            body += b',"Limit":%d' % limit
        if after is not None:
            body += b',"ExclusiveStartKey":' + after
        return await self._wire.ask(self._scan, body + b"}", self._scan_page)

    def _scan_page(self, answer: bytes) -> ScanPage:
        page = _SCAN_ANSWER.decode(answer)
        if page.Count != len(page.Items):
            raise ValueError("the page has not as many items as it says")
        items = [(self._key_reader.read(item), Image(bytes(item))) for item in page.Items]
        # Kept in the service's own spelling: it is a place in a scan, and goes back as it came.
        next_key = None if is_absent(page.LastEvaluatedKey) else ItemKey(bytes(page.LastEvaluatedKey))
        return ScanPage(items, next_key, len(answer))

    async def write_batch(self, writes: Sequence[ItemWrite]) -> list[ItemKey]:
        body = b"%b:[%b]}}" % (self._batch_start, b",".join(map(_request, writes)))
        return await self._wire.ask(self._batch_write, body, self._unprocessed_keys)

    def _unprocessed_keys(self, answer: bytes) -> list[ItemKey]:
        return [
            self._key_reader.read(unprocessed)
            for requests in _BATCH_WRITE_ANSWER.decode(answer).UnprocessedItems.values()
            for unprocessed in map(_item_or_key, requests)
        ]

    async def put(self, write: Put, condition: Condition | None) -> Written | Seen:
        return await self._write(self._put, b'%b,"Item":%b' % (self._start, write.item), condition)

    async def delete(self, write: Delete, condition: Condition | None) -> Written | Seen:
        return await self._write(self._delete, b'%b,"Key":%b' % (self._start, write.key), condition)

    async def _write(self, call: Call, request: bytes, condition: Condition | None) -> Written | Seen:
        try:
            await self._wire.ask(call, request + self._conditions.members(condition) + b"}", read_one_item_answer)
        except ConditionFailedError as failed:
            return Seen(failed.item)
        return Written.YES


def _item(answer: bytes) -> Image | None:
    found = _ITEM_ANSWER.decode(answer).Item
    if is_absent(found):
        read_one_item_answer(answer)
        return None
    return Image(bytes(found))


def _request(write: ItemWrite) -> bytes:
    if isinstance(write, Put):
        return b'{"PutRequest":{"Item":%b}}' % write.item
    return b'{"DeleteRequest":{"Key":%b}}' % write.key


def _item_or_key(request: _WriteRequest) -> msgspec.Raw:
    if request.PutRequest is not None:
        return request.PutRequest.Item
    if request.DeleteRequest is not None:
        return request.DeleteRequest.Key
    raise ValueError("an unprocessed write is neither a put nor a delete")
