"""One stage for a contract's tests: a source with its stream, a replica and a control table, in memory or on a server.

A test writes to the source with `put` and `delete`, as a user of DynamoDB would, and asks the ports for the rest.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
import pytest_asyncio

from service.aws.clients import Connections
from service.aws.connection_pool import open_connections
from service.aws.control.store import DynamoControlStore
from service.aws.streams import DynamoStreams
from service.aws.tables import DynamoTable
from service.configuration.settings import Settings
from service.migrations import load_migrations
from service.model import KeyAttribute, ViewType
from service.ports import ControlStore, ReplicaTable, Streams, Table
from tests.fakes.clock import ManualClock
from tests.fakes.control_store import FakeControlStore
from tests.fakes.control_table import FakeControlTable
from tests.fakes.images import STRING_KEY, Item
from tests.fakes.replica import FakeReplica
from tests.fakes.source import FakeSource
from tests.servers import NAMES, PREFIX, REGION, create_streamed_table, create_table, environment, sdk_client
from tests.servers.fixtures import *  # noqa: F403
from tests.support.patience import PATIENCE_SECONDS
from tests.support.wires import open_wire

SEQUENCE = "dynamirror_sequence"


class Source(Protocol):
    """A streamed table as its users and its readers see it."""

    streams: Streams
    table: Table

    async def put(self, item: Item) -> None: ...

    async def delete(self, key: Item) -> None: ...


class Stage(Protocol):
    async def source(
        self, keys: Sequence[KeyAttribute] = STRING_KEY, view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES
    ) -> Source: ...

    async def replica(self, keys: Sequence[KeyAttribute] = STRING_KEY) -> ReplicaTable: ...


class _FakeStage:
    async def source(
        self, keys: Sequence[KeyAttribute] = STRING_KEY, view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES
    ) -> Source:
        return _FakeSource(FakeSource(ManualClock(), keys, view_type=view_type, seed=7))

    async def replica(self, keys: Sequence[KeyAttribute] = STRING_KEY) -> ReplicaTable:
        return FakeReplica(ManualClock(), keys, sequence_attribute=SEQUENCE)


class _FakeSource:
    def __init__(self, fake: FakeSource) -> None:
        self._fake = fake
        self.streams: Streams = fake.stream
        self.table: Table = fake

    async def put(self, item: Item) -> None:
        self._fake.put(item)

    async def delete(self, key: Item) -> None:
        self._fake.delete(key)


class _ServerStage:
    def __init__(self, client: Any, connections: Connections) -> None:
        self._client = client
        self._connections = connections

    async def source(
        self, keys: Sequence[KeyAttribute] = STRING_KEY, view_type: ViewType = ViewType.NEW_AND_OLD_IMAGES
    ) -> Source:
        name = f"{PREFIX}source-{uuid.uuid4().hex}"
        arn = await create_streamed_table(
            self._client,
            name,
            view_type=view_type.value,
            keys={key.name: key.type for key in keys},
            has_one_shard=True,
        )
        streams, tables = self._connections.streams, self._connections.source
        return _ServerSource(
            self._client,
            name,
            DynamoStreams(streams.wire, str(arn), tuple(keys), view_type),
            DynamoTable(tables.wire, name, tuple(keys), "", "source"),
        )

    async def replica(self, keys: Sequence[KeyAttribute] = STRING_KEY) -> ReplicaTable:
        name = f"{PREFIX}replica-{uuid.uuid4().hex}"
        await create_streamed_table(self._client, name, view_type=None, keys={key.name: key.type for key in keys})
        tables = self._connections.replica
        return DynamoTable(tables.wire, name, tuple(keys), SEQUENCE, "replica")


class _ServerSource:
    def __init__(self, client: Any, name: str, streams: Streams, table: Table) -> None:
        self._client = client
        self._name = name
        self.streams = streams
        self.table = table

    async def put(self, item: Item) -> None:
        await self._client.put_item(TableName=self._name, Item=_for_sdk(item))

    async def delete(self, key: Item) -> None:
        await self._client.delete_item(TableName=self._name, Key=_for_sdk(key))


def _for_sdk(item: Item) -> dict[str, Any]:
    """The SDK takes top-level binary values as bytes, and spells the Base64 itself."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in item.items()}


@pytest_asyncio.fixture(params=["fake", *NAMES], scope="module", loop_scope="module")
async def stage(request: pytest.FixtureRequest, server_named: Any) -> AsyncIterator[Stage]:
    """The fake, and each of the real servers through the service's own adapters; one a module, its tables a test's."""
    if request.param == "fake":
        yield _FakeStage()
        return
    endpoint_url = server_named(request.param).endpoint_url
    settings = Settings(
        source_table="the-source",
        replica_table="the-replica",
        source_region=REGION,
        replica_region=REGION,
        source_endpoint_url=endpoint_url,
        replica_endpoint_url=endpoint_url,
    )
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment().items():
            patch.setenv(name, value)
        connections = await stack.enter_async_context(
            open_connections(settings, request_timeout_seconds=PATIENCE_SECONDS)
        )
        client = await stack.enter_async_context(sdk_client(endpoint_url))
        yield _ServerStage(client, connections)


StoreFor = Callable[[str], ControlStore]


@pytest.fixture(params=["fake", *NAMES])
async def store_for(request, server_named, unique_name) -> AsyncIterator[StoreFor]:
    """Stores of pipelines in one control table that is empty: `store_for("orders")`."""
    if request.param == "fake":
        table = FakeControlTable()
        yield lambda pipeline: FakeControlStore(table, pipeline)
        return
    name = unique_name("control")
    async with sdk_client(server_named(request.param).endpoint_url) as client:
        await create_table(client, TableName=name, **load_migrations()[0].steps[0].arguments)
        async with open_wire(server_named(request.param).endpoint_url) as wire:
            yield lambda pipeline: DynamoControlStore(wire, name, pipeline)


@pytest.fixture
def store(store_for: StoreFor) -> ControlStore:
    return store_for("orders--orders-copy")
