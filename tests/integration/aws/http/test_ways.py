"""Which way the requests of each connection take: over TLS, by the proxy, or straight to the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from service.aws.connection_pool import ConnectionPool
from service.aws.control.store import DynamoControlStore
from service.aws.http.reading_turns import LONG_BYTES, ReadingTurns
from service.aws.streams import DynamoStreams
from service.aws.tables import DynamoTable
from service.configuration.settings import load_settings
from service.errors import UnavailableError
from service.model import ItemKey, KeyAttribute, ShardId
from tests.servers import REGION, environment
from tests.support.patience import PATIENCE_SECONDS

KEYS = (KeyAttribute("k", "S"),)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


async def asked_by_every_connection(url: str, turns: ReadingTurns | None = None) -> list[Exception | None]:
    """Of the replica, the control table and the stream: what came of one read each."""
    sides = {f"DYNAMIRROR_{side}_REGION": REGION for side in ("SOURCE", "REPLICA")}
    urls = {f"DYNAMIRROR_{side}_ENDPOINT_URL": url for side in ("SOURCE", "REPLICA")}
    tables = {"DYNAMIRROR_SOURCE_TABLE": "orders", "DYNAMIRROR_REPLICA_TABLE": "copies"}
    pool = ConnectionPool()
    pool.turns = turns or pool.turns
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(
            pool.connections(load_settings(tables | sides | urls), PATIENCE_SECONDS)
        )
        reads: list[Callable[[], Awaitable[object]]] = [
            lambda: DynamoTable(found.replica.wire, "copies", KEYS, "", "replica").get(ItemKey(b'{"k":{"S":"a"}}')),
            DynamoControlStore(found.replica.control, "control", "p").read_lease,
            lambda: DynamoStreams(found.streams.wire, "arn", KEYS, None).read(ShardId("s"), "iterator", 1),
        ]
        came: list[Exception | None] = []
        for read in reads:
            try:
                await read()
            except UnavailableError as error:
                came.append(error)
            else:
                came.append(None)
        return came


async def test_a_certificate_that_nobody_trusts_is_told_nothing(tls_peer):
    came = await asked_by_every_connection(f"https://localhost:{tls_peer.port}")

    assert all("NotSent" in str(error) for error in came)
    assert tls_peer.requests == 0


async def test_with_its_bundle_every_connection_goes_over_tls(tls_peer, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", tls_peer.bundle)

    assert (await asked_by_every_connection(f"https://localhost:{tls_peer.port}"))[:2] == [None, None]
    assert tls_peer.requests == 3


async def test_the_proxy_of_the_environment_is_on_the_way_of_every_connection(peer, monkeypatch):
    heads: list[bytes] = []

    async def noting(reader, writer):
        while head := await peer.request(reader):
            heads.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    peer.script = noting
    monkeypatch.setenv("http_proxy", peer.url)

    await asked_by_every_connection("http://dynamodb.example:8000")

    assert [head.split(b" ")[1] for head in heads] == [b"http://dynamodb.example:8000/"] * 3


async def test_whoever_ends_leaves_no_connection_open(peer):
    await asked_by_every_connection(peer.url)

    while peer.ended < 3:
        await peer.closed.wait()
        peer.closed.clear()
    assert peer.connections == 3


async def test_every_connection_takes_the_turns_that_all_have_to_read_a_long_answer(peer):
    class Counted(ReadingTurns):
        count = 0

        async def next(self) -> None:
            self.count += 1

    async def long(reader, writer):
        while await peer.request(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{}" % (LONG_BYTES + 2) + b" " * LONG_BYTES)

    peer.script, turns = long, Counted()

    await asked_by_every_connection(peer.url, turns)

    assert turns.count == 3
