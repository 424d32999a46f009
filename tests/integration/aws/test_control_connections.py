"""The control table has connections of its own: whoever can't write any more still keeps its lease, and says so."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import web

from service.aws.connection_pool import open_connections
from service.aws.control.store import DynamoControlStore
from service.aws.http.client import MAX_CONNECTIONS
from service.aws.tables import DynamoTable
from service.configuration.settings import load_settings
from service.errors import RetryableError
from service.model import ItemKey, KeyAttribute
from tests.servers import REGION, environment
from tests.support.patience import PATIENCE_SECONDS

KEYS = (KeyAttribute("k", "S"),)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


async def test_requests_that_hang_on_the_replica_keep_none_of_the_control_tables_waiting():
    hanging, has_all = 0, asyncio.Event()
    ended = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal hanging
        if b'"control"' in await request.read():
            return web.json_response({})
        hanging += 1
        if hanging == MAX_CONNECTIONS:
            has_all.set()
        await ended.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0][:2])
    settings = load_settings(
        {
            "DYNAMIRROR_SOURCE_TABLE": "orders",
            "DYNAMIRROR_REPLICA_TABLE": "copies",
            "DYNAMIRROR_SOURCE_REGION": REGION,
            "DYNAMIRROR_REPLICA_REGION": REGION,
            "DYNAMIRROR_SOURCE_ENDPOINT_URL": url,
            "DYNAMIRROR_REPLICA_ENDPOINT_URL": url,
        }
    )
    try:
        async with open_connections(settings, request_timeout_seconds=10 * PATIENCE_SECONDS) as connections:
            replica = DynamoTable(connections.replica.wire, "copies", KEYS, "", "replica")
            control = DynamoControlStore(connections.replica.control, "control", "p")

            async def get() -> None:
                with suppress(RetryableError):
                    await replica.get(ItemKey(b'{"k":{"S":"a"}}'))

            async with asyncio.TaskGroup() as group:
                for _ in range(MAX_CONNECTIONS + 1):
                    group.create_task(get())
                await has_all.wait()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    assert await control.read_lease() is None
                ended.set()
    finally:
        ended.set()
        await runner.cleanup()
