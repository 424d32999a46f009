"""Fills tables fast: through the product's own wire, since the SDK would take minutes.

Their items lie on few shelves, the partition key: ministack counts a table's partitions anew at every write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.aws.connection_pool import open_connections
from service.aws.tables import DynamoTable
from service.configuration.settings import load_settings
from service.model import Image, ItemKey, ItemWrite, KeyAttribute
from tests.servers import REGION, Server

KEYS = {"shelf": "S", "key": "S"}
SHELVES = 64
BATCH = 25
AT_ONCE = 8


def item_key(number: int) -> ItemKey:
    return key_of(b"item-%07d" % number, number)


def key_of(name: bytes, number: int) -> ItemKey:
    """`number` says on which shelf."""
    return ItemKey(b'{"shelf":{"S":"%d"},"key":{"S":"%b"}}' % (number % SHELVES, name))


def item(key: ItemKey, rest: bytes) -> Image:
    """The key, and `rest`: further attributes in DynamoDB JSON."""
    return Image(key[:-1] + b"," + rest + b"}")


@asynccontextmanager
async def opened(server: Server, table: str) -> AsyncIterator[DynamoTable]:
    """A table with these KEYS, to write to. AWS credentials come from the environment."""
    settings = load_settings(
        {
            "DYNAMIRROR_SOURCE_TABLE": table,
            "DYNAMIRROR_REPLICA_TABLE": "nothing-is-read-here",
            "DYNAMIRROR_SOURCE_ENDPOINT_URL": server.endpoint_url,
            "DYNAMIRROR_REPLICA_ENDPOINT_URL": server.endpoint_url,
            "DYNAMIRROR_SOURCE_REGION": REGION,
            "DYNAMIRROR_REPLICA_REGION": REGION,
        }
    )
    keys = tuple(KeyAttribute(name, kind) for name, kind in KEYS.items())
    async with open_connections(settings, 30) as connections:
        source = connections.source
        yield DynamoTable(source.wire, table, keys, "", "source")


async def fill(table: DynamoTable, numbers: range, write: Callable[[int], ItemWrite]) -> None:
    """One write for each number, in batches."""
    starts = iter(range(0, len(numbers), BATCH))

    async def write_batches() -> None:
        for start in starts:
            left = await table.write_batch([write(number) for number in numbers[start : start + BATCH]])
            assert not left

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(write_batches())
