"""A flood of requests and of open connections leaves the flow going: the admin API shares its event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import httpx

from tests.servers import Server, create_streamed_table, sdk_client
from tests.support.installed.product import Product
from tests.support.installed.replica_history import check_equal
from tests.support.patience import PATIENCE_SECONDS

CONNECTIONS = 300
CLIENTS = 8
WRITES = 60


async def hold_connection(product: Product) -> None:
    """Open, say half a request, and wait; again when the server has had enough."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", product.port)
            try:
                writer.write(b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
                await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
        await asyncio.sleep(0.2)


async def ask_on(product: Product) -> None:
    async with httpx.AsyncClient(base_url=product.url, timeout=10) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get("/status")


async def end(flood: list[asyncio.Task[None]]) -> None:
    """A client's own clean-up may swallow a cancellation: it is told again."""
    left = set(flood)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)


async def test_a_flood_of_requests_and_open_connections_leaves_the_flow_going(
    ministack: Server, unique_name: Callable[[str], str]
) -> None:
    source, replica = unique_name("source"), unique_name("replica")
    async with sdk_client(ministack.endpoint_url, attempts=3) as dynamodb:
        await create_streamed_table(dynamodb, source)
        await create_streamed_table(dynamodb, replica, view_type=None)
        async with Product(ministack, (source, replica), start_at="trim_horizon", lease_seconds=30) as product:
            await (await product.start()).until_running()
            flood = [asyncio.create_task(hold_connection(product)) for _ in range(CONNECTIONS)]
            flood += [asyncio.create_task(ask_on(product)) for _ in range(CLIENTS)]
            try:
                for number in range(WRITES):
                    key = {"S": f"k{number % 7}"}
                    await dynamodb.put_item(TableName=source, Item={"key": key, "n": {"N": str(number)}})
                    await asyncio.sleep(0.02)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while True:  # with the flood still on
                        with contextlib.suppress(AssertionError):
                            await check_equal(dynamodb, source, replica)
                            break
                        await asyncio.sleep(0.1)
            finally:
                await end(flood)
            status = await product.until_caught_up()
            assert status["totals"]["records_applied"] == WRITES
            assert await product.stop() == 0
