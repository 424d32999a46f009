"""Tables with streams, for tests: created and waited for, read back as a whole."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.servers.endpoint import ENDPOINT
from tests.support.patience import PATIENCE_SECONDS

_ONE_PARTITION = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
_SCAN_ITEMS = 5000
"""A page of a server may else be all of a table."""


async def create_streamed_table(
    dynamodb: Any,
    name: str,
    *,
    view_type: str | None = "NEW_AND_OLD_IMAGES",
    keys: Mapping[str, str] | None = None,
    has_one_shard: bool = False,
) -> str | None:
    """Create a table and return its stream's ARN; no stream with `view_type=None`.

    `keys` are attribute names with their types, the partition key first: `{"pk": "S", "sk": "N"}`; unless given, a
    String `key` alone. `has_one_shard`: also on AWS, where it has little capacity then.
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
    if has_one_shard and ENDPOINT is not None and ENDPOINT.url is None:
        # On demand, a table begins with several partitions, and so with several shards; little capacity means one.
        request |= {"BillingMode": "PROVISIONED", "ProvisionedThroughput": _ONE_PARTITION}
    await create_table(dynamodb, **request)
    return await stream_arn_of(dynamodb, name) if view_type else None


async def create_table(dynamodb: Any, **request: Any) -> None:
    """Create a table and wait until it is there: AWS takes seconds."""
    await dynamodb.create_table(**request)
    await _active(dynamodb, request["TableName"])


async def delete_table(dynamodb: Any, name: str) -> None:
    """Delete a table and wait until it is gone, as its name is free only then."""
    await dynamodb.delete_table(TableName=name)
    async with asyncio.timeout(PATIENCE_SECONDS):
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            while await dynamodb.describe_table(TableName=name):  # noqa: ASYNC110 as below
                await asyncio.sleep(0.05)


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


async def read_stream(streams: Any, stream_arn: str, wanted: int = 0) -> list[dict[str, Any]]:
    """Every record that the stream's shards hold, shard by shard, as the SDK returns them.

    It waits until there are `wanted`: on AWS a record comes some time after its write.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(records := await _read_stream(streams, stream_arn)) < wanted:  # noqa: ASYNC110 nor has the stream
            await asyncio.sleep(0.2)
    return records


async def _read_stream(streams: Any, stream_arn: str) -> list[dict[str, Any]]:
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
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await dynamodb.describe_table(TableName=name))["Table"]["TableStatus"] != "ACTIVE":  # noqa: ASYNC110 the server has no event to wait for
            await asyncio.sleep(0.05)
