"""The stub's side of the wire: connections that wait for each request, in a loop that hardly ever sleeps.

What concerns the control table goes on to an emulator from here.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import SplitResult

AWAKE_SECONDS = 0.01
HEAD_END = b"\r\n\r\n"
SPELLED: dict[str, str] = {}
"""Targets as they were written, by their lower-case form."""


class Handles(Protocol):
    """The stub, as a connection sees it."""

    def handle(self, target: str, body: bytes, reply: Callable[[bytes], None]) -> None: ...


class Awake(selectors.EpollSelector):
    """Looks again and again for a while before it sleeps.

    A server elsewhere costs its clients nothing to wake, and answers when it is due. Here the kernel would charge each
    client for waking a stub that sleeps (some 10 us a request on a virtual machine), and asyncio would round the sleep
    up to the next millisecond, so that answers that are due apart would be sent together.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        now = time.monotonic()
        until = now + (AWAKE_SECONDS if timeout is None else min(timeout, AWAKE_SECONDS))
        while True:
            found = super().select(0)
            if found or (now := time.monotonic()) >= until:
                break
        is_due = timeout is not None and timeout <= AWAKE_SECONDS
        return found if found or is_due else super().select(None if timeout is None else timeout - AWAKE_SECONDS)


class Connection(asyncio.Protocol):
    """One client's connection: a request, its answer, the next request."""

    def __init__(self, stub: Handles) -> None:
        self._stub = stub
        self._waiting = bytearray()
        self._needed = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) < self._needed:
            return
        end = self._waiting.find(HEAD_END)
        if end < 0:
            return
        head = bytes(self._waiting[:end])
        small = head.lower()
        at = small.find(b"content-length:")
        length = int(small[at + 15 : small.find(b"\r", at) if small.find(b"\r", at) > 0 else None]) if at >= 0 else 0
        self._needed = end + 4 + length
        if len(self._waiting) < self._needed:
            return
        body = bytes(memoryview(self._waiting)[end + 4 : self._needed])
        self._waiting = self._waiting[self._needed :]
        self._needed = 0
        at = small.find(b"x-amz-target:")
        until = small.find(b"\r", at)
        target = small[at + 13 : until if until > 0 else None].strip().decode()
        SPELLED.setdefault(target, head[at + 13 : until if until > 0 else None].strip().decode())
        self._stub.handle(target, body, self._reply)

    def _reply(self, whole: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(whole)


async def serve(stub: Handles) -> None:
    """Prints the port, then serves until it is ended."""
    gc.freeze()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def pass_on(behind: SplitResult, target: str, body: bytes, reply: Callable[[bytes, bytes], None]) -> None:
    """To the emulator at that address; `reply` is told the status and the body of its answer."""
    task = asyncio.ensure_future(_ask(behind, target, body, reply))
    _PASSING.add(task)
    task.add_done_callback(_PASSING.discard)


_PASSING: set[asyncio.Future[None]] = set()


async def _ask(behind: SplitResult, target: str, body: bytes, reply: Callable[[bytes, bytes], None]) -> None:
    reader, writer = await asyncio.open_connection(behind.hostname, behind.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: %b\r\nX-Amz-Target: %b\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=dynamirror/20260101/us-west-2/dynamodb/aws4_request, "
        b"SignedHeaders=host, Signature=0\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
        % (behind.netloc.encode(), SPELLED[target].encode(), len(body), body)
    )
    head, _, rest = (await reader.read()).partition(HEAD_END)
    writer.close()
    reply(head.split(b"\r\n", 1)[0].split(b" ", 1)[1], rest)
