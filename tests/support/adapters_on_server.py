"""The adapters of service.aws on a real server: a table of each kind, opened as the service opens it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from service.aws.clients import Connections
from service.aws.connection_pool import open_connections
from service.aws.streams import DynamoStreams
from service.aws.tables import DynamoTable, describe_table
from service.configuration.settings import load_settings
from service.model import KeyAttribute
from tests.servers import REGION, Server, create_streamed_table
from tests.support.patience import PATIENCE_SECONDS

KEYS = {"pk": "S", "sk": "N"}
SCHEMA = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
SEQUENCE = "dynamirror_sequence"


@dataclass(frozen=True)
class Aws:
    """A table with a stream, seen through the adapters and through a plain SDK client."""

    name: str
    connections: Connections
    table: DynamoTable
    streams: DynamoStreams
    sdk: Any


@asynccontextmanager
async def aws_on(server: Server, dynamodb: Any, unique_name: Callable[[str], str], **create: Any) -> AsyncIterator[Aws]:
    name = unique_name("source")
    await create_streamed_table(dynamodb, name, keys=KEYS, **create)
    settings = load_settings(
        {
            "DYNAMIRROR_SOURCE_TABLE": name,
            "DYNAMIRROR_REPLICA_TABLE": f"{name}-replica",
            "DYNAMIRROR_SOURCE_REGION": REGION,
            "DYNAMIRROR_REPLICA_REGION": REGION,
        }
        | server.settings()
    )
    async with open_connections(settings, request_timeout_seconds=PATIENCE_SECONDS) as connections:
        source = connections.source
        described = await describe_table(source.wire, name, "source")
        assert described.stream_arn is not None
        table = DynamoTable(source.wire, name, described.keys, SEQUENCE, "source")
        stream = connections.streams
        streams = DynamoStreams(stream.wire, described.stream_arn, described.keys, described.view_type)
        yield Aws(name, connections, table, streams, dynamodb)
