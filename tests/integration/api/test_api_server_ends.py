"""The end of the embedded server: requests may finish, and nothing stays open."""

from __future__ import annotations

import asyncio

import pytest

from api.server import AdminServer
from tests.fakes.api import FakeApi
from tests.fakes.served_api import serving
from tests.support.raw_clients import GET, clients_of, connections, until


async def test_stopping_lets_a_request_finish():
    api = FakeApi()
    api.console.held = asyncio.Event()
    async with serving(api) as server, clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"POST /pause HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: api.console.asked)
        server.stop()
        api.console.held.set()
        assert await client.status() == 200


async def test_stopping_does_not_wait_for_a_request_that_never_finishes():
    api = FakeApi()
    api.console.held = asyncio.Event()
    async with serving(api) as server, clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"POST /pause HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: api.console.asked)
        server.stop()
        await client.rest()
    assert connections(server) == []


async def test_cancelling_closes_everything():
    server = await AdminServer(FakeApi().app, host="127.0.0.1", port=0).listen()
    port = server.port
    task = asyncio.create_task(server.serve())
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(GET)
        assert await client.status() == 200
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await client.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
