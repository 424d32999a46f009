"""Requests that tell what the credentials may do, and change nothing. `dynamirror check` makes them.

A write is asked for on a condition that contradicts itself, which no item and no absent item fulfils: DynamoDB looks at
the rights, then refuses the condition. That refusal is the good answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aioboto3

from service.aws.answers import check_members
from service.aws.calls import ask, ask_sdk
from service.aws.clients import Connections, ServiceConnection, sdk_config
from service.aws.control.attributes import stored
from service.aws.control.schema import DynamoSchemaStore
from service.aws.control.store import DynamoControlStore
from service.aws.error_codes import Call, ConditionFailedError
from service.aws.streams import DynamoStreams
from service.aws.tables import found_table
from service.configuration.hosts import without_user
from service.configuration.settings import Settings
from service.errors import HaltError
from service.model import KeyAttribute, Position, ShardId, StartAt, StreamDescription, TableDescription
from service.ports import Clock

_NO_ITEM = "dynamirror-check"
_VALUES: Mapping[str, Mapping[str, object]] = {"S": {"S": _NO_ITEM}, "N": {"N": "-1"}, "B": stored(_NO_ITEM.encode())}
_IMPOSSIBLE = "attribute_exists(#key) AND attribute_not_exists(#key)"

_ONCE = sdk_config(5)


class DynamoInspection:
    """Implements service.check.inspection.Inspection."""

    def __init__(self, settings: Settings, connections: Connections, clock: Clock) -> None:
        self._settings = settings
        self._connections = connections
        self.clock_offset = clock.offset
        wire, table = connections.replica.control, settings.control_table
        self.control = DynamoControlStore(wire, table, settings.pipeline_name)
        self.schema = DynamoSchemaStore(wire, table, clock)

    def _place(self, side: str) -> tuple[ServiceConnection, str]:
        """The connection of `source`, `replica` or `control`, and the table's name there."""
        if side == "source":
            return self._connections.source, self._settings.source_table
        table = self._settings.replica_table if side == "replica" else self._settings.control_table
        return self._connections.replica, table

    def address(self, side: str) -> str:
        return without_user(self._place(side)[0].url)

    @property
    def is_one_endpoint(self) -> bool:
        return self.address("source") == self.address("replica")

    async def identity(self, side: str) -> str | None:
        session = aioboto3.Session(botocore_session=self._place(side)[0].session)
        async with session.client("sts", config=_ONCE) as client:
            if _is_aws(client.meta.endpoint_url) and not _is_aws(self.address(side)):
                return None  # an emulator's credentials are none of AWS's, and are not shown to it
            call = Call("GetCallerIdentity", f"the credentials for the {side} table")
            return await ask_sdk(client, "get_caller_identity", call, lambda answer: str(answer["Arn"]))

    async def table(self, side: str) -> TableDescription | None:
        connection, name = self._place(side)
        return await found_table(connection.control, name, side)

    async def stream(self, source: TableDescription) -> StreamDescription:
        return await self._streams(source).describe()

    async def read_stream(self, source: TableDescription, shard_id: ShardId) -> None:
        streams = self._streams(source)
        iterator = await streams.iterator(shard_id, Position(start=StartAt.LATEST))
        await streams.read(shard_id, iterator, 1)

    def _streams(self, source: TableDescription) -> DynamoStreams:
        assert source.stream_arn is not None
        streams = self._connections.streams
        return DynamoStreams(streams.wire, source.stream_arn, source.keys, source.view_type)

    async def ask(self, side: str, operation: str, keys: tuple[KeyAttribute, ...]) -> None:
        connection, table = self._place(side)
        key = {each.name: _VALUES[each.type] for each in keys}
        call, request = Call(operation, f"the {side} table {table}"), _request(operation, table, key, keys[0].name)
        try:
            await ask(connection.control, call, lambda answer: check_members(answer, _MEMBERS), **request)
        except ConditionFailedError:
            return
        if operation in _WRITES:
            raise HaltError(f"{operation} on {call.resource} took effect on a condition that nothing fulfils")


def _is_aws(url: str) -> bool:
    """By its name."""
    return (urlsplit(url).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))


_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
# botocore, dynamodb 2012-08-10: of the answers to what is asked here.
_MEMBERS = frozenset({"Item", "Attributes", "Items", "Responses"})


def _request(operation: str, table: str, key: Mapping[str, object], hash_name: str) -> dict[str, Any]:
    named, names = {"TableName": table}, {"ExpressionAttributeNames": {"#key": hash_name}}
    never = {"ConditionExpression": _IMPOSSIBLE, **names}
    values = {"ExpressionAttributeValues": {":key": key[hash_name]}}
    requests: dict[str, dict[str, Any]] = {
        "Scan": {**named, "Limit": 1},
        "Query": {**named, "Limit": 1, "KeyConditionExpression": "#key = :key", **names, **values},
        "GetItem": {**named, "Key": key},
        "BatchGetItem": {"RequestItems": {table: {"Keys": [key]}}},
        "PutItem": {**named, "Item": key, **never},
        "UpdateItem": {**named, "Key": key, **never},
        "DeleteItem": {**named, "Key": key, **never},
    }
    return requests[operation]
