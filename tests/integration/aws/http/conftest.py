"""A server that does with its connections what a test tells it, in the clear and over TLS."""

import asyncio
import contextlib
import ssl

import pytest

from tests.support.own_certificate import write_own_certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Peer:
    """Runs one script for each connection that it is given, and counts them."""

    def __init__(self):
        self.connections = 0
        self.requests = 0
        self.ended = 0
        """Connections, of all."""
        self.url = ""
        self.closed = asyncio.Event()
        self.asked = asyncio.Event()

    async def script(self, reader, writer):
        while await self.request(reader):
            writer.write(OK)

    async def request(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2].split(b"\r")[0]))
        self.requests += 1
        self.asked.set()
        return head

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.script(reader, writer)
        writer.close()
        self.ended += 1
        self.closed.set()


@pytest.fixture
async def peer():
    misbehaving = Peer()
    listening = await asyncio.start_server(misbehaving.serve, "127.0.0.1", 0)
    misbehaving.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    yield misbehaving
    listening.close()


@pytest.fixture
async def tls_peer(tmp_path):
    """A peer with a certificate for `localhost`, and the bundle that trusts it."""
    (tmp_path / "bundle.pem").write_bytes(write_own_certificate(tmp_path / "server.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    found = Peer()
    listening = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = listening.sockets[0].getsockname()[1]
    found.bundle = str(tmp_path / "bundle.pem")
    yield found
    listening.close()
