"""The embedded server against raw sockets: its start, and slow, greedy and many clients."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket

import httpx
import pytest

from api.connections import Connection
from api.hardening import Limits
from api.server import AdminServer
from service.errors import HaltError
from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.served_api import Serve
from tests.support.raw_clients import GET, SHORT, Clients, clients_of, connections, open_without_end, until


async def test_a_free_port_is_known_before_it_serves():
    server = await AdminServer(FakeApi().app, host="127.0.0.1", port=0).listen()
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"
    server.stop()
    await server.serve()


async def test_an_ipv6_url_has_brackets():
    server = await AdminServer(FakeApi().app, host="::1", port=0).listen()
    assert server.url == f"http://[::1]:{server.port}"
    server.stop()
    await server.serve()


async def test_a_name_is_listened_on_at_all_its_addresses():
    server = await AdminServer(FakeApi().app, host="localhost", port=0).listen()
    task = asyncio.create_task(server.serve())
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{server.port}/healthz")).status_code == 200
    server.stop()
    await task


async def test_a_port_that_is_taken_is_one_clear_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = AdminServer(FakeApi().app, host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(HaltError, match="DYNAMIRROR_ADMIN_PORT"):
            await server.listen()


async def test_the_second_part_of_an_answer_waits_for_no_acknowledgement(serve: Serve):
    """Nagle's algorithm and a client's delayed acknowledgement cost 40 ms for each answer on a kept connection."""
    server = await serve(FakeApi())
    async with httpx.AsyncClient() as client:
        await client.get(f"{server.url}/healthz")
        (connection,) = server._server.server_state.connections
        assert isinstance(connection, Connection)
        found = connection.transport.get_extra_info("socket")
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_it_touches_no_signal(serve: Serve):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    server = await serve(FakeApi())
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}/healthz")).status_code == 200
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_it_is_quiet(serve: Serve, caplog):
    with caplog.at_level(logging.INFO):
        server = await serve(FakeApi(admin_token=ADMIN))
        async with httpx.AsyncClient() as client, clients_of(server) as clients:
            await client.get(f"{server.url}/status", headers={"authorization": f"Bearer {ADMIN}"})
            garbage = await clients.open()
            await garbage.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            await garbage.rest()
    assert [record for record in caplog.records if not record.name.startswith("http")] == []
    assert ADMIN not in caplog.text


async def test_what_is_no_http_is_answered_with_a_problem(serve: Serve):
    server = await serve(FakeApi())
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"nonsense\r\n\r\n")
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["type"] == "urn:dynamirror:problem:bad-request"


async def test_a_head_that_is_too_long_is_refused(serve: Serve):
    server = await serve(FakeApi(limits=Limits(max_head_bytes=2048)))
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 4096)
        assert (await client.rest()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("beginning", [b"", b"GET /status HTTP/1.1\r\nHost: loc"])
async def test_a_client_that_does_not_finish_its_head_is_cut_off(serve: Serve, beginning):
    server = await serve(FakeApi(limits=Limits(head_seconds=SHORT)))
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(beginning)
        assert await client.rest() == b""


async def test_a_body_that_does_not_come_is_408(serve: Serve):
    api = FakeApi(limits=Limits(body_seconds=SHORT))
    server = await serve(api)
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"POST /pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        assert (await client.rest()).startswith(b"HTTP/1.1 408")
    assert api.console.asked == []


@pytest.mark.parametrize("length", [b"Content-Length: 999999999999", b"Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_large_is_413_long_before_its_end(serve: Serve, length):
    server = await serve(FakeApi(limits=Limits(discard_seconds=SHORT)))
    async with clients_of(server) as clients:
        client = await clients.open()
        await client.send(b"POST /pause HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n")
        chunk = b" " * 65537
        await client.send(b"10001\r\n" + chunk + b"\r\n" if b"chunked" in length else chunk)
        assert (await client.rest()).startswith(b"HTTP/1.1 413")


async def test_an_answer_that_is_not_fetched_does_not_keep_the_connection(serve: Serve):
    api = FakeApi(limits=Limits(answer_seconds=SHORT, requests_per_second=100_000))
    api.console.warnings = ["x" * 8_000_000]  # more than the kernel's buffers of both ends take
    server = await serve(api)
    async with clients_of(server) as clients:
        client = await clients.open()
        client.writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a socket's, which reads too
        await client.send(GET)
        await until(lambda: api.seen)
        await until(lambda: not connections(server))


async def test_a_new_client_gets_in_when_others_hold_every_connection_idle(serve: Serve):
    api = FakeApi(limits=Limits(max_connections=10))
    server = await serve(api)
    async with clients_of(server) as clients:
        for _ in range(50):
            await clients.open()
        newest = await clients.open()
        await newest.send(GET)
        assert await newest.status() == 200
        assert len(connections(server)) <= 10


async def test_connections_at_work_are_not_cut_off_for_a_new_one(serve: Serve):
    api = FakeApi(limits=Limits(max_connections=2))
    api.console.held = asyncio.Event()
    server = await serve(api)
    async with clients_of(server) as clients:
        working = [await clients.open() for _ in range(2)]
        for client in working:
            await client.send(b"POST /pause HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: len(api.console.asked) == 2)
        refused = await clients.open()
        assert await refused.rest() == b""
        api.console.held.set()
        assert [await client.status() for client in working] == [200, 200]


async def test_a_flood_of_requests_and_connections_leaves_the_flow_going(serve: Serve):
    """The flow is a task of the same event loop: it gets its turns while as many clients as may ask without end."""
    api = FakeApi(limits=Limits(requests_per_second=50, burst=10, max_connections=40))
    server = await serve(api)
    turns = 0

    async def flow() -> None:
        nonlocal turns
        for _ in range(2000):
            await asyncio.sleep(0.0005)
            turns += 1

    async def greedy(clients: Clients) -> None:
        while True:
            client = await clients.open()
            try:
                while True:
                    await client.send(GET * 5)  # pipelined, too
                    await client.status()
            except (ConnectionError, asyncio.IncompleteReadError):
                client.writer.transport.abort()

    async with clients_of(server) as clients:
        flood = [asyncio.create_task(greedy(clients)) for _ in range(30)]
        flood += [asyncio.create_task(open_without_end(clients)) for _ in range(5)]
        began = asyncio.get_running_loop().time()
        await flow()
        asked, seconds = len(api.console.asked), asyncio.get_running_loop().time() - began
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
    assert turns == 2000
    assert asked <= 50 * seconds + 10 + 1, "no more than the rate lets through"
    assert len(connections(server)) <= 40
