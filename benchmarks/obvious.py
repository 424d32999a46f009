"""The program that one would write first: aioboto3, and one awaited write a record. What the product is compared to."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

import aioboto3

from benchmarks.workload import REPLICA, SOURCE


async def follow(streams: Any, table: Any, stream_arn: str, shard_id: str) -> None:
    """Apply one shard's records, one after the other."""
    found = await streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    iterator = found["ShardIterator"]
    while iterator:
        page = await streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            change = record["dynamodb"]
            if "NewImage" in change:
                stamp = {"S": datetime.now(UTC).isoformat()}
                number = {"S": change["SequenceNumber"].zfill(40)}
                item = {"timestamp": stamp, "dynamirror_sequence": number, **change["NewImage"]}
                await table.put_item(TableName=REPLICA, Item=item)
            else:
                await table.delete_item(TableName=REPLICA, Key=change["Keys"])
        if not page["Records"]:
            await asyncio.sleep(0.25)
        iterator = page.get("NextShardIterator")


async def replicate(url: str) -> None:
    session = aioboto3.Session()
    async with (
        session.client("dynamodb", endpoint_url=url) as table,
        session.client("dynamodbstreams", endpoint_url=url) as streams,
    ):
        described = await table.describe_table(TableName=SOURCE)
        stream_arn = described["Table"]["LatestStreamArn"]
        shards = (await streams.describe_stream(StreamArn=stream_arn))["StreamDescription"]["Shards"]
        async with asyncio.TaskGroup() as tasks:
            for shard in shards:
                tasks.create_task(follow(streams, table, stream_arn, shard["ShardId"]))


if __name__ == "__main__":
    try:
        asyncio.run(replicate(os.environ["BENCHMARK_URL"]))
    except KeyboardInterrupt:
        sys.exit(0)
