"""I4 with the installed command: memory does not grow with what waits in the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.aws.clients import open_connections
from service.aws.tables import DynamoTable
from service.config import load_settings
from service.model import Image, ItemKey, KeyAttribute, Put
from tests.acceptance.product import Product
from tests.servers import CREDENTIALS, REGION, Server, create_streamed_table, sdk_client

RECORDS = 200_000
LIMIT_BYTES = 300 * 1024 * 1024
BATCH = 25
AT_ONCE = 8


async def fill(server: Server, table: str) -> None:
    """So many items of 1 KB, through the product's own wire, since the SDK would take minutes."""
    settings = load_settings(
        {
            "DYNAMIRROR_SOURCE_TABLE": table,
            "DYNAMIRROR_REPLICA_TABLE": "nothing-is-read-here",
            "DYNAMIRROR_SOURCE_ENDPOINT_URL": server.endpoint_url,
            "DYNAMIRROR_REPLICA_ENDPOINT_URL": server.endpoint_url,
            "DYNAMIRROR_SOURCE_REGION": REGION,
            "DYNAMIRROR_REPLICA_REGION": REGION,
        }
    )
    pad = b"x" * 950

    def put(number: int) -> Put:
        key = b'{"key":{"S":"item-%07d"}}' % number
        return Put(ItemKey(key), Image(key[:-1] + b',"pad":{"S":"' + pad + b'"}}'))

    async with open_connections(settings, 30) as connections:
        source = connections.source
        filled = DynamoTable(source.client, source.wire, table, (KeyAttribute("key", "S"),), "", "source")
        numbers = iter(range(0, RECORDS, BATCH))

        async def write() -> None:
            for start in numbers:
                left = await filled.write_batch([put(number) for number in range(start, start + BATCH)])
                assert not left

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(write())


@pytest.mark.timeout(240)
async def test_memory_stays_flat_with_200_000_records_behind_a_slow_replica(
    ministack: Server, unique_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(ministack.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
    await fill(ministack, source)
    async with Product(ministack, (source, replica), start_at="trim_horizon", max_writes_per_second=200) as product:
        await product.start()
        status = await product.until(lambda status: status["queue"]["records"] >= status["queue"]["max_records"] - 1000)
        await asyncio.sleep(5.0)
        status = await product.status()
        assert status["queue"]["records"] <= status["queue"]["max_records"]
        assert status["queue"]["bytes"] <= status["queue"]["max_bytes"]
        assert status["totals"]["records_read"] < RECORDS
        assert status["lag"]["seconds"] > 0
        assert not status["lag"]["caught_up"]
        assert product.peak_memory_bytes() < LIMIT_BYTES
        print(f"peak memory: {product.peak_memory_bytes() / 2**20:.0f} MiB")
