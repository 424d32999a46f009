"""The outside world, opened: settings become connections, checked tables, and the adapters of the ports."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from service.aws.clients import Connections
from service.aws.connection_pool import ConnectionPool, open_connections
from service.aws.control.schema import DynamoSchemaStore
from service.aws.control.store import DynamoControlStore
from service.aws.http.server_time import ServerTimes
from service.aws.inspection import DynamoInspection
from service.aws.lambda_mappings import open_lambda_mappings
from service.aws.streams import DynamoStreams
from service.aws.table_creation import found_or_created
from service.aws.table_list import DynamoTableList
from service.aws.tables import DynamoTable, describe_table
from service.configuration.settings import Settings
from service.errors import HaltError, RefusedError, RetryableError
from service.migrations import Migration, migrate, prepare
from service.model import TableDescription
from service.observability.log_records import LoggedStreams, RecordLog, record_log
from service.operations.pipeline.outside import Outside
from service.ports import Adapters, Clock, Streams
from service.preflight import WARN_OF_CLOCK_SECONDS, check_sequence_attribute, check_stream, check_tables
from service.replication.lease import MARGIN
from service.replication.requests.backoff import Backoff
from service.side_thread import SideThread

Answer = TypeVar("Answer")
MAX_REQUEST_SECONDS = 5.0
START_SECONDS = 30.0
"""As long as a start goes on asking: with one answer in ten lost, a step of twenty requests is done well before."""

MAX_REFUSED_SIGNATURES = 2
"""Either side's first answer may be needed to tell the time."""
# The common errors of the API reference, and what SigV4 answers to a time that is too far off ("Signature expired",
# "Signature not yet current").
SIGNATURE_CAUSES = frozenset({
    "InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
})  # fmt: skip


class SystemClock:
    """Implements ports.Clock: its time is AWS's, as far as an answer has told it."""

    def __init__(self, times: ServerTimes | None = None) -> None:
        times = times or ServerTimes()
        self.now, self.offset, self.forget = times.now, times.offset, times.forget

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def request_timeout(settings: Settings) -> float:
    """Seconds for one request: over within the lease's margin, so that no write outlives the trust in the lease."""
    return min(MAX_REQUEST_SECONDS, settings.lease_seconds * MARGIN * 0.8)


@dataclass(frozen=True, slots=True)
class World:
    """Both tables, the stream and the control table, as the settings name them."""

    settings: Settings
    connections: Connections
    clock: SystemClock
    record_log: RecordLog | None

    async def look(self) -> Outside:
        """Describe and check both tables, and make the adapters. Raises ConfigurationError, HaltError, RetryableError.

        Creates the replica where that is wanted and it is missing.
        """
        settings, connections = self.settings, self.connections
        source = await describe_table(connections.source.control, settings.source_table, "source")
        check_stream(source)
        check_sequence_attribute(source, settings.sequence_attribute)
        replica = await found_or_created(
            connections.replica.control, settings.replica_table, source, self.clock, creates=settings.create_replica
        )
        is_one_endpoint = connections.source.url == connections.replica.url
        check_tables(source, replica, is_one_endpoint=is_one_endpoint)
        return Outside(self._adapters(source), source, replica)

    def _adapters(self, source: TableDescription) -> Adapters:
        settings, connections = self.settings, self.connections
        assert source.stream_arn is not None
        streams: Streams = DynamoStreams(
            connections.streams.wire, source.stream_arn, source.keys, source.view_type, connections.describing
        )
        if self.record_log is not None:
            streams = LoggedStreams(streams, self.record_log)
        return Adapters(
            streams=streams,
            source=DynamoTable(connections.source.wire, settings.source_table, source.keys, "", "source"),
            replica=DynamoTable(
                connections.replica.wire, settings.replica_table, source.keys, settings.sequence_attribute, "replica"
            ),
            control=DynamoControlStore(connections.replica.control, settings.control_table, settings.pipeline_name),
            schema=self.schema_store(),
            clock=self.clock,
            aside=SideThread(),
        )

    def schema_store(self) -> DynamoSchemaStore:
        replica = self.connections.replica
        return DynamoSchemaStore(replica.control, self.settings.control_table, self.clock)

    async def prepare(self, owner: str) -> None:
        await prepare(self.schema_store(), clock=self.clock, owner=owner)

    async def migrate(self, owner: str) -> list[Migration]:
        return await migrate(self.schema_store(), clock=self.clock, owner=owner)


@dataclass(frozen=True, slots=True)
class Worlds:
    """Opens the worlds of pipelines that share their connections."""

    names_records: bool = False
    """Records in the log are told with their pipeline."""
    pool: ConnectionPool = field(default_factory=ConnectionPool)

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[World]:
        """The connections that the settings name, until the block ends."""
        async with self.pool.connections(settings, request_timeout(settings)) as connections:
            log = record_log(settings, pipeline=settings.pipeline_name if self.names_records else None)
            yield World(settings, connections, SystemClock(connections.times), log)

    @asynccontextmanager
    async def tables(self, settings: Settings) -> AsyncIterator[DynamoTableList]:
        """The tables where the source is, until the block ends. Raises ConfigurationError."""
        async with self.pool.source(settings, request_timeout(settings)) as connection:
            yield DynamoTableList(connection.control)


def open_world(settings: Settings) -> AbstractAsyncContextManager[World]:
    """One pipeline's alone."""
    return Worlds().open(settings)


@asynccontextmanager
async def open_inspection(settings: Settings) -> AsyncIterator[tuple[DynamoInspection, SystemClock]]:
    """What `dynamirror check` asks, until the block ends; nothing was asked yet."""
    async with open_connections(settings, request_timeout(settings)) as connections:
        clock = SystemClock(connections.times)
        yield DynamoInspection(settings, connections, clock), clock


def open_table_list(settings: Settings) -> AbstractAsyncContextManager[DynamoTableList]:
    """As `Worlds.tables`, over a connection of their own."""
    return Worlds().tables(settings)


open_mappings = open_lambda_mappings
"""Lambda's event source mappings where the source is, for a pipeline that Lambda replicates."""


async def at_start(clock: Clock, step: Callable[[], Awaitable[Answer]]) -> Answer:
    """A step before the service runs, made again while answers are lost, for some time; then an error for a person.

    What a step has done stays done, so that each try has less to ask. A clear refusal is told at once.
    Raises HaltError.
    """
    backoff = Backoff(clock, first_seconds=0.1, max_seconds=1.0)
    give_up_at = clock.monotonic() + START_SECONDS
    refused_signatures = 0
    while True:
        try:
            return await step()
        except RefusedError as error:
            if error.cause not in SIGNATURE_CAUSES or refused_signatures == MAX_REFUSED_SIGNATURES:
                raise HaltError(f"{error}{_clock_text(clock)}") from error
            refused_signatures += 1  # its answer told the service's time: the next request is signed at that
        except RetryableError as error:
            wait_seconds = backoff.next_seconds()
            if clock.monotonic() + wait_seconds > give_up_at:
                raise HaltError(f"{error} (tried {backoff.attempts} times)") from error
            await clock.sleep(wait_seconds)


def _clock_text(clock: Clock) -> str:
    """What a refused start says of a clock that is off."""
    offset = clock.offset()
    if offset is None or abs(offset) < WARN_OF_CLOCK_SECONDS:
        return ""
    now = datetime.fromtimestamp(clock.now(), UTC)
    ours = now - timedelta(seconds=offset)
    return f"; this machine's clock shows {ours:%Y-%m-%d %H:%M:%S} UTC, AWS's {now:%Y-%m-%d %H:%M:%S}: set it (NTP)"


def new_owner() -> str:
    """Names this process and no other: where it runs, for people, and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
