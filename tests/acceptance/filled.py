"""Fills tables fast: through the product's own wire, since the SDK would take minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.aws.clients import open_connections
from service.aws.tables import DynamoTable
from service.config import load_settings
from service.model import Image, ItemKey, ItemWrite, KeyAttribute
from tests.servers import REGION, Server

BATCH = 25
AT_ONCE = 8


def item_key(number: int) -> ItemKey:
    return ItemKey(b'{"key":{"S":"item-%07d"}}' % number)


def item(number: int, rest: bytes) -> Image:
    """The key, and `rest`: further attributes in DynamoDB JSON."""
    return Image(item_key(number)[:-1] + b"," + rest + b"}")


async def fill(server: Server, table: str, numbers: range, write: Callable[[int], ItemWrite]) -> None:
    """One write for each number, in batches. AWS credentials come from the environment."""
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
    async with open_connections(settings, 30) as connections:
        source = connections.source
        filled = DynamoTable(source.client, source.wire, table, (KeyAttribute("key", "S"),), "", "source")
        starts = iter(range(0, len(numbers), BATCH))

        async def write_batches() -> None:
            for start in starts:
                left = await filled.write_batch([write(number) for number in numbers[start : start + BATCH]])
                assert not left

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(write_batches())
