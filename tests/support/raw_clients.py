"""Clients of the API that speak through raw sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from api.server import AdminServer

GET = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT = 0.05
"""Any time that is short: for deadlines that the test wants to pass."""


@dataclass
class Client:
    """A raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def status(self) -> int:
        """The status of the next answer, whose body is read too."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return int(head.split()[1])

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


@dataclass
class Clients:
    server: AdminServer
    opened: list[Client] = field(default_factory=list)

    async def open(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.server.port))
        self.opened.append(client)
        return client


@asynccontextmanager
async def clients_of(server: AdminServer) -> AsyncIterator[Clients]:
    clients = Clients(server)
    try:
        yield clients
    finally:
        for client in clients.opened:
            client.writer.transport.abort()
        await asyncio.sleep(0)


async def open_without_end(clients: Clients) -> None:
    while True:
        client = await clients.open()
        await asyncio.sleep(0.01)
        if len(clients.opened) > 500:
            client.writer.transport.abort()


def connections(server: AdminServer) -> list[object]:
    return list(server._server.server_state.connections)


async def until(holds) -> None:
    """Wait for an event that has no future of its own; the test's time-out ends a wait in vain."""
    while not holds():  # noqa: ASYNC110  # what it waits for is inside the server, which tells nobody
        await asyncio.sleep(0.005)
