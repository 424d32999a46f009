"""The wire's own HTTP/1.1: one request at a time on a kept connection, without a proxy.

A general client costs some 90 µs a request; a conditional write is one request a record. What is sent is one POST with
a length, what comes back is read by `response_parser`. TLS is asyncio's. It never retries a request.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohappyeyeballs

from service.aws.http.response_parser import AnswerParser, GarbageError
from service.aws.http.transport import (
    CONNECT_SECONDS,
    CONNECT_SHARE,
    KEEP_ALIVE_SECONDS,
    WHOLE_READ_SECONDS,
    AnswerLostError,
    HttpAnswer,
    NotSentError,
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305, section 8: Connection Attempt Delay
MAX_CONNECTIONS = 256
"""To one endpoint, for the changes of all pipelines together, unless one of them wants more writers than that."""


class Connection(asyncio.Protocol):
    """Carries one exchange after the other. Owned by its endpoint."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._poll = select.poll()
        self._parser = AnswerParser()
        self._answered: asyncio.Future[HttpAnswer] | None = None
        """Of the exchange under way; None while there is none."""
        self._timer: asyncio.TimerHandle | None = None
        """Runs on from one exchange to the next, so that most of them need none of their own."""
        self._give_up_at = self._quiet_seconds = self._heard_at = 0.0
        self._keeps = True
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    @property
    def is_open(self) -> bool:
        """Another request may go over it, as far as the event loop knows."""
        return self._keeps and not self._transport.is_closing()

    @property
    def is_usable(self) -> bool:
        """Nothing has come since the last answer: no end, and nothing that was not asked for.

        The kernel is asked too: it may know of an end that the event loop has not come to yet, and a request that is
        sent into a closed connection is a write in doubt.
        """
        return self.is_open and not self._poll.poll(0)

    async def exchange(self, request: bytes, give_up_at: float, quiet_seconds: float) -> HttpAnswer:
        """Send and wait: until a moment of the loop's clock, or until nothing was heard for so long.

        Raises AnswerLostError; then, and after a cancellation, the connection is closed.
        """
        self._answered = self._loop.create_future()
        self._give_up_at, self._quiet_seconds, self._heard_at = give_up_at, quiet_seconds, self._loop.time()
        if self._timer is None or self._timer.when() > self._time_out_at:
            self._look_at_time_again()
        self._transport.write(request)
        try:
            return await self._answered
        except BaseException:
            self.abort()
            if not self._answered.cancelled():
                self._answered.exception()  # looked at, lest asyncio complains: a cancellation came just before it
            raise
        finally:
            self._answered = None

    @property
    def _time_out_at(self) -> float:
        return min(self._give_up_at, self._heard_at + self._quiet_seconds)

    def _look_at_time(self) -> None:
        """What was heard meanwhile, and an exchange that came later, only put it off."""
        self._timer = None
        if self._answered is None:
            return
        if self._loop.time() < self._time_out_at:
            self._look_at_time_again()
        else:
            self._lose("no answer in time")

    def _look_at_time_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._time_out_at, self._look_at_time)

    def data_received(self, data: bytes) -> None:
        if self._answered is None or self._answered.done():
            self.abort()  # nobody asked: 408 Request Timeout, for example
            return
        self._heard_at = self._loop.time()
        try:
            self._parser.feed(data)
        except GarbageError as error:
            self._lose(str(error))
        else:
            self._look_for_answer()

    def eof_received(self) -> None:
        if self._answered is not None and not self._answered.done():
            try:
                self._parser.end()
            except GarbageError as error:
                self._lose(str(error))
            else:
                self._look_for_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._lose(f"{type(exc).__name__}: {exc}" if exc else "the connection was closed")
        self.closed.set_result(None)

    def _look_for_answer(self) -> None:
        answer = self._parser.take()
        if answer is not None and self._answered is not None and not self._answered.done():
            self._keeps = self._parser.keeps_connection
            self._answered.set_result(answer)

    def _lose(self, reason: str) -> None:
        self._keeps = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(AnswerLostError(reason))

    def abort(self) -> None:
        """At once, whatever is under way."""
        self._keeps = False
        self._transport.abort()


class DirectEndpoint:
    """One endpoint, as many connections as there are requests at a time, up to a bound. Implements http.Http.

    A write is over within `request_timeout_seconds`, come what may (a lease's margin stands on that), the wait for a
    connection included; a read fails when nothing arrives for that long.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None,
        request_timeout_seconds: float,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
        assert tls is not None or parts.scheme == "http"
        self._tls = tls if parts.scheme == "https" else None
        self._start = f"POST {parts.path or '/'} HTTP/1.1\r\nAccept-Encoding: identity\r\nUser-Agent: dynamirror\r\n"
        self._netloc = parts.netloc.rpartition("@")[2]
        self._timeout_seconds = request_timeout_seconds
        self._read_seconds = max(WHOLE_READ_SECONDS, request_timeout_seconds)
        self._connect_seconds = min(CONNECT_SECONDS, request_timeout_seconds * CONNECT_SHARE)
        self._idle: list[Connection] = []
        """The one that was used last is used next; the others grow old, and are closed."""
        self._open: set[Connection] = set()
        self._max_connections = max_connections
        self._room = asyncio.Semaphore(max_connections)

    def allow(self, connections: int) -> None:
        """At least so many at a time."""
        while self._max_connections < connections:
            self._max_connections += 1
            self._room.release()

    async def post(self, body: bytes, headers: Mapping[str, str], *, is_write: bool) -> HttpAnswer:
        """One request. Raises NotSentError or AnswerLostError."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + (self._timeout_seconds if is_write else self._read_seconds)
        connected_by = loop.time() + self._connect_seconds
        request = self._request(body, headers)
        await self._enter(connected_by)
        try:
            connection = self._kept() or await self._connect(connected_by)
            answer = await connection.exchange(request, give_up_at, self._timeout_seconds)
            self._keep(connection)
            return answer
        finally:
            self._room.release()

    async def _enter(self, until: float) -> None:
        """First come, first served, so that a busy pipeline keeps no other one from its turn."""
        if not self._room.locked():
            await self._room.acquire()  # at once
            return
        try:
            async with asyncio.timeout_at(until):
                await self._room.acquire()
        except TimeoutError:
            raise NotSentError(f"all {self._max_connections} connections are in use") from None

    def _request(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        fields = [f"{name}: {value}\r\n" for name, value in headers.items()]
        if "Host" not in headers:
            fields.append(f"Host: {self._netloc}\r\n")
        head = f"{self._start}{''.join(fields)}Content-Length: {len(body)}\r\n\r\n"
        if head.count("\n") != len(fields) + 5 or head.count("\r") != len(fields) + 5:
            raise NotSentError("a header has a line break in it")
        try:
            return head.encode("latin-1") + body
        except UnicodeEncodeError:
            raise NotSentError("a header has a character that HTTP can't carry") from None

    def _kept(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - KEEP_ALIVE_SECONDS
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.pop(0).abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Connection) -> None:
        if connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()

    async def _connect(self, until: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(until):
                # Python's own race of addresses leaves a socket open, for the garbage collector, if it is cancelled.
                addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
                _, connection = await loop.create_connection(
                    Connection, ssl=self._tls, sock=sock, server_hostname=self._host if self._tls else None
                )
        except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: a name that is none
            raise NotSentError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    async def close(self) -> None:
        """Returns when every connection is closed."""
        closing = [connection.closed for connection in self._open]
        for connection in list(self._open):
            connection.abort()
        if closing:
            await asyncio.wait(closing)
