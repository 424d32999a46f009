"""The benchmark's stub judges conditions, and answers reads, as the servers do: test_tables' promises on its replica.

What it lacks, and what no figure rests on: the limit of an item's size, and a stream that anybody could write to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from benchmarks.replica import Replica
from benchmarks.stub import Stub
from benchmarks.stub_connection import Connection
from benchmarks.workload import REPLICA, SOURCE, Workload
from service.aws.clients import Connections
from service.aws.connection_pool import open_connections
from service.aws.tables import DynamoTable
from service.configuration.settings import Settings
from service.model import ItemKey, KeyAttribute
from service.ports import ReplicaTable, Table
from tests.contract.conftest import SEQUENCE
from tests.contract.test_tables import (
    test_a_batch_puts_and_deletes_and_leaves_nothing_unprocessed,
    test_absent_holds_only_where_there_is_no_item,
    test_an_item_as_it_was_seen_may_be_replaced,
    test_an_item_that_changed_meanwhile_stays_as_it_is,
    test_an_item_that_is_not_there_is_none,
    test_every_type_of_value_comes_back_exactly,
    test_many_items_are_got_and_the_missing_ones_left_out,
    test_older_compares_the_stored_number_and_tells_what_it_met,
    test_segments_of_a_scan_cover_a_table_once,
    test_writes_without_a_condition_replace_and_remove,
)
from tests.fakes.images import STRING_KEY, item_of
from tests.servers import REGION, environment
from tests.support.patience import PATIENCE_SECONDS

__all__ = [
    "test_a_batch_puts_and_deletes_and_leaves_nothing_unprocessed",
    "test_absent_holds_only_where_there_is_no_item",
    "test_an_item_as_it_was_seen_may_be_replaced",
    "test_an_item_that_changed_meanwhile_stays_as_it_is",
    "test_an_item_that_is_not_there_is_none",
    "test_every_type_of_value_comes_back_exactly",
    "test_many_items_are_got_and_the_missing_ones_left_out",
    "test_older_compares_the_stored_number_and_tells_what_it_met",
    "test_segments_of_a_scan_cover_a_table_once",
    "test_writes_without_a_condition_replace_and_remove",
]
pytestmark = pytest.mark.asyncio(loop_scope="module")
USERS = (KeyAttribute("pk", "S"),)


class StubStage:
    """One stub for tables with each kind of key, and its replica made anew for each test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._opened: dict[tuple[KeyAttribute, ...], tuple[Stub, Connections]] = {}

    async def open(self, workload: Workload, keys: Sequence[KeyAttribute]) -> tuple[Stub, Connections]:
        stub = Stub(workload, "http://127.0.0.1:1", False, keys)
        stub.handle("bench.go", b"{}", lambda answer: None)  # scans wait for the run's beginning
        server = await asyncio.get_running_loop().create_server(lambda: Connection(stub), "127.0.0.1", 0)
        self._stack.callback(server.close)
        endpoint_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = Settings(
            source_table=SOURCE,
            replica_table=REPLICA,
            source_region=REGION,
            replica_region=REGION,
            source_endpoint_url=endpoint_url,
            replica_endpoint_url=endpoint_url,
        )
        opening = open_connections(settings, request_timeout_seconds=PATIENCE_SECONDS)
        return stub, await self._stack.enter_async_context(opening)

    async def replica(self, keys: Sequence[KeyAttribute] = STRING_KEY) -> ReplicaTable:
        named = tuple(keys)
        if named not in self._opened:
            self._opened[named] = await self.open(Workload(records=0), named)
        stub, connections = self._opened[named]
        stub.replica = Replica(named, {}, [])
        tables = connections.replica
        return DynamoTable(tables.wire, REPLICA, named, SEQUENCE, "replica")

    async def source(self, workload: Workload) -> Table:
        _, connections = await self.open(workload, USERS)
        return DynamoTable(connections.source.wire, SOURCE, USERS, "", "source")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[StubStage]:
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment().items():
            patch.setenv(name, value)
        yield StubStage(stack)


async def test_the_source_holds_what_the_stream_ends_with(stage: StubStage) -> None:
    workload = Workload(records=3, keys=1, lines=1, table_items=2)
    source = await stage.source(workload)
    keys = [ItemKey(b'{"pk":{"S":"user-%07d"}}' % number) for number in range(3)]
    found = await source.get_many(keys)
    assert {key: item_of(image)["version"] for key, image in found.items()} == {
        keys[0]: {"N": "4"},
        keys[1]: {"N": "1"},
    }, "changed three times; as it was from the start; never there"
    assert await source.get(keys[0]) == found[keys[0]]
    assert await source.get(keys[2]) is None
