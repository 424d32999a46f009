"""I4 with the installed command: memory does not grow with what waits in the stream.

TEST_RECORDS=300000 lets more wait.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from service.model import Put
from tests.servers import CREDENTIALS, Server, create_streamed_table, sdk_client
from tests.support.installed.product import Installed
from tests.support.installed.table_filling import KEYS, fill, item, item_key, opened

RECORDS = int(os.environ.get("TEST_RECORDS", "80000"))
LIMIT_BYTES = 200 * 1024 * 1024
"""With a queue that holds all of these records it is 390 MiB, and else 136 MiB for any number of them."""
PAD = b'"pad":{"S":"' + b"x" * 950 + b'"}'


@pytest.mark.timeout(600 + RECORDS / 1000)
async def test_memory_stays_flat_with_what_waits_behind_a_slow_replica(
    ministack: Server, unique_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(ministack.endpoint_url) as dynamodb:
        await create_streamed_table(dynamodb, source, keys=KEYS)
        await create_streamed_table(dynamodb, replica, view_type=None, keys=KEYS)
    async with opened(ministack, source) as table:
        await fill(table, range(RECORDS), lambda number: Put(item_key(number), item(item_key(number), PAD)))
    settings = {"start_at": "trim_horizon", "max_writes_per_second": 200, "lease_seconds": 60}
    async with Installed(ministack, (source, replica), **settings) as product:
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
