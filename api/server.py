"""The server: uvicorn inside an event loop that belongs to somebody else.

It touches no signal and writes no access log, its port is known before it serves, and it ends when it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Iterator
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from api.connections import Connection, bounded
from api.hardening import Limits
from service.configuration.hosts import address, bare
from service.errors import HaltError

# Waiting connections that the kernel keeps, and the most that one turn of the event loop accepts.
_BACKLOG = 64


class _Embedded(uvicorn.Server):
    """uvicorn's server, which leaves signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """Serves an ASGI app on one address. `listen`, then `serve` in a task, then `stop`; once."""

    def __init__(
        self, app: ASGIApp, *, host: str, port: int, limits: Limits | None = None, shutdown_timeout_seconds: float = 5
    ) -> None:
        """`port` 0 takes any free one. `shutdown_timeout_seconds`: what requests under way get to finish in."""
        self._host = bare(host)
        self._wanted_port = port
        self._sockets: list[socket.socket] = []
        limits = limits or Limits()
        config = uvicorn.Config(
            app,
            http=bounded(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=limits.max_head_bytes,
            timeout_keep_alive=limits.keep_alive_seconds,
            timeout_graceful_shutdown=math.ceil(shutdown_timeout_seconds),
            # A backstop only: Connection holds the number of connections, and so of requests, under it.
            limit_concurrency=limits.max_connections + 2,
            backlog=_BACKLOG,
        )
        self._server = _Embedded(config)

    @property
    def port(self) -> int:
        """The port that is listened on, from `listen` on."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where it is reached, from `listen` on."""
        return address(self._host, self.port)

    async def listen(self) -> Self:
        """Take the address; clients may connect from now on and are answered once it serves. Raises HaltError."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self._wanted_port, type=socket.SOCK_STREAM)
            for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
                self._bind(family, str(address[0]))
        except OSError as error:
            self._close()
            raise HaltError(
                f"The admin API can't listen on {self._host} port {self._wanted_port}: {error.strerror or error}. "
                "Set DYNAMIRROR_ADMIN_HOST and DYNAMIRROR_ADMIN_PORT to an address that is free."
            ) from error
        return self

    def _bind(self, family: socket.AddressFamily, host: str) -> None:
        port = self.port if self._sockets else self._wanted_port
        try:
            self._sockets.append(socket.create_server((host, port), family=family, backlog=_BACKLOG))
        except OSError:
            if not self._sockets or family is not socket.AF_INET6:
                raise  # a name such as localhost may also mean an IPv6 address that this machine does not have
        else:
            self._sockets[-1].setblocking(False)
            # For what it accepts, too. asyncio sets it only where a socket names its protocol, which this one does not.
            self._sockets[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def serve(self) -> None:
        """Answer requests until `stop`, then let those under way finish within the time-out. Cancelled: end at once."""
        try:
            await self._server.serve(sockets=self._sockets)
        finally:
            self._close()

    def stop(self, within_seconds: float | None = None) -> None:
        """Make `serve` return, within its time-out or a shorter time. May be repeated."""
        patience = self._server.config.timeout_graceful_shutdown
        if within_seconds is not None and (patience is None or within_seconds < patience):
            self._server.config.timeout_graceful_shutdown = within_seconds  # type: ignore[assignment]  # any number does
        self._server.should_exit = True

    def _close(self) -> None:
        for server in getattr(self._server, "servers", ()):
            server.close()
        for each in self._sockets:
            each.close()
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, Connection):
                connection.transport.abort()
