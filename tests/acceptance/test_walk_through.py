"""The walk-through that dynamirror began with, on each server: put, modify, delete, and the replica follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.servers import Server, create_streamed_table
from tests.support.installed.product import Product
from tests.support.patience import PATIENCE_SECONDS
from tests.support.thoroughness import played

VIEW_TYPES = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY")
# A snapshot goes on at the tip, and a shard that has ended has none.
STARTS = [
    pytest.param(mode, start, marks=[pytest.mark.needs("open shards have no end")] if start == "snapshot" else [])
    for mode, start in (
        ("auto", "snapshot"),
        ("auto", "trim_horizon"),
        ("strict", "snapshot"),
        ("strict", "trim_horizon"),
    )
]


async def item(dynamodb: Any, table: str, key: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (
        await dynamodb.get_item(TableName=table, Key={"key": {"S": key}}, ConsistentRead=True)
    ).get("Item")
    return found


async def until(dynamodb: Any, table: str, value: str | None) -> dict[str, Any]:
    """The item `key1`, once its `value` is this; an empty one once it is gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await item(dynamodb, table, "key1")
            if (found or {}).get("value", {}).get("S") == value:
                return found or {}
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("view_type", played(VIEW_TYPES, every=3))
async def test_what_happens_in_master_table_happens_in_replica_table(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str], view_type: str
) -> None:
    source, replica = unique_name("master-table"), unique_name("replica-table")
    await create_streamed_table(dynamodb, source, view_type=view_type)
    await create_streamed_table(dynamodb, replica, view_type=None)
    async with Product(server, (source, replica), start_at="latest") as product:
        await (await product.start()).until_running()

        await dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "value": {"S": "value1"}})
        found = await until(dynamodb, replica, "value1")
        stamped = datetime.fromisoformat(found["timestamp"]["S"])
        assert stamped.utcoffset() is not None
        assert len(found["dynamirror_sequence"]["S"]) == 40

        await dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "value": {"S": "value2"}})
        await until(dynamodb, replica, "value2")

        await dynamodb.delete_item(TableName=source, Key={"key": {"S": "key1"}})
        await until(dynamodb, replica, None)

        status = await product.until_caught_up()
        assert status["totals"]["records_read"] == 3
        assert status["totals"]["records_applied"] == 3
        assert status["source"]["stream_view_type"] == view_type
        assert await product.stop() == 0


@pytest.mark.parametrize(("write_mode", "start_at"), played(STARTS, every=3))
async def test_what_was_there_before_the_start_is_brought_too(
    server: Server, dynamodb: Any, unique_name: Callable[[str], str], start_at: str, write_mode: str
) -> None:
    source, replica = unique_name("master-table"), unique_name("replica-table")
    await create_streamed_table(dynamodb, source)
    await dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "value": {"S": "value0"}})
    async with Product(
        server, (source, replica), start_at=start_at, write_mode=write_mode, create_replica="true"
    ) as product:
        await product.start()
        await until(dynamodb, replica, "value0")
        await dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "value": {"S": "value1"}})
        found = await until(dynamodb, replica, "value1")
        assert len(found["dynamirror_sequence"]["S"]) == 40
        assert await product.stop() == 0
