"""Tables with streams, for tests: created and waited for, read back as a whole."""

import asyncio
from collections.abc import Mapping
from typing import Any

_WAIT_SECONDS = 30.0
_SCAN_ITEMS = 5000
"""A page of a server may else be all of a table."""


async def create_streamed_table(
    dynamodb: Any,
    name: str,
    *,
    view_type: str | None = "NEW_AND_OLD_IMAGES",
    keys: Mapping[str, str] | None = None,
) -> str | None:
    """Create a table and return its stream's ARN; no stream with `view_type=None`.

    `keys` are attribute names with their types, the partition key first: `{"pk": "S", "sk": "N"}`; unless given, a
    String `key` alone.
    """
    types = dict(keys or {"key": "S"})
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": types[key]} for key in types],
        "KeySchema": [
            {"AttributeName": key, "KeyType": role} for key, role in zip(types, ("HASH", "RANGE"), strict=False)
        ],
    }
    if view_type is not None:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view_type}
    await dynamodb.create_table(**request)
    await _active(dynamodb, name)
    return await stream_arn_of(dynamodb, name) if view_type else None


async def set_stream(dynamodb: Any, name: str, view_type: str | None) -> str | None:
    """Turn a table's stream off (`None`) or on, and return the ARN of the one that is on."""
    specification: dict[str, Any] = {"StreamEnabled": view_type is not None}
    if view_type is not None:
        specification["StreamViewType"] = view_type
    await dynamodb.update_table(TableName=name, StreamSpecification=specification)
    await _active(dynamodb, name)
    return await stream_arn_of(dynamodb, name) if view_type else None


async def stream_arn_of(dynamodb: Any, name: str) -> str:
    """The ARN of a table's latest stream."""
    table = (await dynamodb.describe_table(TableName=name))["Table"]
    arn: str = table["LatestStreamArn"]
    return arn


async def scan(dynamodb: Any, name: str) -> list[dict[str, Any]]:
    """Every item of a table, in DynamoDB JSON, read consistently."""
    items: list[dict[str, Any]] = []
    page: dict[str, Any] = {}
    while True:
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page else {}
        page = await dynamodb.scan(TableName=name, ConsistentRead=True, Limit=_SCAN_ITEMS, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items


async def read_stream(streams: Any, stream_arn: str) -> list[dict[str, Any]]:
    """Every record that the stream's shards hold now, shard by shard, as the SDK returns them."""
    description = (await streams.describe_stream(StreamArn=stream_arn))["StreamDescription"]
    records: list[dict[str, Any]] = []
    for shard in description["Shards"]:
        answer = await streams.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        iterator = answer["ShardIterator"]
        while iterator:
            page = await streams.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return records


async def _active(dynamodb: Any, name: str) -> None:
    async with asyncio.timeout(_WAIT_SECONDS):
        while (await dynamodb.describe_table(TableName=name))["Table"]["TableStatus"] != "ACTIVE":  # noqa: ASYNC110 the server has no event to wait for
            await asyncio.sleep(0.05)
