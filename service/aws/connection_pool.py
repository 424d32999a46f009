"""The connections of all pipelines of the process: one session, client, signer and wire for whoever needs the same.

Both sides of a pipeline have sessions of their own, since each may have its region, its endpoint, its profile and its
role. Two pipelines share a connection only where all of these are the same: no credentials meet another's table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aiobotocore.session import AioSession

from service.aws.call_rate import DESCRIBE_STREAM_PER_SECOND, CallRate
from service.aws.clients import Connections, Endpoint, ServiceConnection, open_connection, sdk_config
from service.aws.http.reading_turns import ReadingTurns
from service.aws.http.server_time import ServerTimes
from service.aws.sessions import open_session
from service.configuration.environment import PREFIX
from service.configuration.settings import Settings
from service.configuration.sides import Access, SideName

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")


@dataclass(slots=True)
class _Entry(Generic[Thing]):
    users: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    opened: list[Thing] = field(default_factory=list)
    """One, once it is open."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


class Shared(Generic[Key, Thing]):
    """One thing for each key. All state belongs to the event loop's thread."""

    def __init__(self, open_thing: Callable[[Key], AbstractAsyncContextManager[Thing]]) -> None:
        self._open_thing = open_thing
        self._entries: dict[Key, _Entry[Thing]] = {}

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._entries)

    @asynccontextmanager
    async def use(self, key: Key) -> AsyncIterator[Thing]:
        """The key's thing, until the block ends. Raises what its opening raises; the next user opens it again."""
        entry = self._entries.setdefault(key, _Entry())
        entry.users += 1
        try:
            async with entry.opening:
                if not entry.opened:
                    entry.opened.append(await entry.closing.enter_async_context(self._open_thing(key)))
            yield entry.opened[0]
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]
                await entry.closing.aclose()


CONNECTIONS_A_WRITER = 2
"""It may read while it writes; what a page's readers need beside is within the ordinary bound."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who asks, and where."""

    access: Access
    request_timeout_seconds: float
    """Of requests to STS."""
    variable: str = field(compare=False)
    """What an error names: `DYNAMIRROR_SOURCE`."""


class ConnectionPool:
    """Nothing is connected before somebody asks for it."""

    def __init__(self) -> None:
        self.turns = ReadingTurns()
        """Of all connections: they share the event loop."""
        self._times = ServerTimes()
        self._sessions = Shared(self._open_session)
        self._connections = Shared(self._open_connection)
        self._describing: dict[tuple[Access, str | None], CallRate] = {}

    @asynccontextmanager
    async def connections(self, settings: Settings, request_timeout_seconds: float = 2.0) -> AsyncIterator[Connections]:
        """What one pipeline speaks to, until the block ends. No table is asked for anything yet.

        `request_timeout_seconds` must be shorter than the lease's margin: a write is over by then. Raises
        ConfigurationError when a side has no region or no credentials.
        """
        source = _identity(settings, "source", request_timeout_seconds)
        replica = _identity(settings, "replica", request_timeout_seconds)
        source_url, replica_url = settings.source_endpoint_url, settings.replica_endpoint_url
        streams_url = settings.streams_endpoint_url or source_url
        async with AsyncExitStack() as stack:
            for identity in (source, replica):
                await stack.enter_async_context(self._sessions.use(identity))
            use = self._connections.use
            seconds = request_timeout_seconds
            streams = await stack.enter_async_context(use((source, Endpoint("dynamodbstreams", streams_url, seconds))))
            table = await stack.enter_async_context(use((source, Endpoint("dynamodb", source_url, seconds))))
            copy = await stack.enter_async_context(use((replica, Endpoint("dynamodb", replica_url, seconds))))
            for connection in (table, copy):
                if connection.direct is not None:
                    connection.direct.allow(CONNECTIONS_A_WRITER * settings.writers)
            times = ServerTimes(streams.time, table.time, copy.time)
            stack.callback(times.remove)
            place = (source.access, streams_url)
            describing = self._describing.setdefault(place, CallRate(DESCRIBE_STREAM_PER_SECOND))
            yield Connections(source=table, streams=streams, replica=copy, times=times, describing=describing)

    @asynccontextmanager
    async def source(
        self, settings: Settings, request_timeout_seconds: float = 2.0
    ) -> AsyncIterator[ServiceConnection]:
        """Where the source's tables are, until the block ends. Raises ConfigurationError, as `connections`."""
        identity = _identity(settings, "source", request_timeout_seconds)
        endpoint = Endpoint("dynamodb", settings.source_endpoint_url, request_timeout_seconds)
        async with self._connections.use((identity, endpoint)) as connection:
            yield connection

    @asynccontextmanager
    async def _open_session(self, identity: _Identity) -> AsyncIterator[AioSession]:
        config = sdk_config(identity.request_timeout_seconds)
        yield await open_session(identity.variable, identity.access, config)

    @asynccontextmanager
    async def _open_connection(self, key: tuple[_Identity, Endpoint]) -> AsyncIterator[ServiceConnection]:
        identity, endpoint = key
        async with (
            self._sessions.use(identity) as session,
            open_connection(session, endpoint, self._times, self.turns) as connection,
        ):
            yield connection


def _identity(settings: Settings, side: SideName, request_timeout_seconds: float) -> _Identity:
    return _Identity(settings.side(side).access, request_timeout_seconds, f"{PREFIX}{side.upper()}")


def open_connections(
    settings: Settings, request_timeout_seconds: float = 2.0
) -> AbstractAsyncContextManager[Connections]:
    """A pool for one pipeline."""
    return ConnectionPool().connections(settings, request_timeout_seconds)
