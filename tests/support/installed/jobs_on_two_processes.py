"""One pipeline with two processes, and jobs of each kind that last for as long as its replica throttles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.servers.functions import until
from tests.support.installed.middlebox import Middlebox
from tests.support.installed.product import Product
from tests.support.patience import PATIENCE_SECONDS

ITEMS = 20
LETTERS = 5
BAD = "nobody takes this"
SLOWER = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slower"}'
INVALID = b'{"__type":"com.amazon.coral.validate#ValidationException","message":"One of the values is invalid"}'


@dataclass(frozen=True, eq=False)
class Kind:
    name: str
    start: str
    body: object
    jobs: str


KINDS = (
    Kind("snapshot", "/snapshot", None, "/snapshots"),
    Kind("verification", "/verify", {"repair": True}, "/verifications"),
    Kind("replay", "/replay", {"from": "trim_horizon"}, "/replays"),
    Kind("redrive", "/dead-letters/redrive", {"all": True}, "/redrives"),
)


class Asked:
    """`box` is in front of the replica and the control table."""

    def __init__(
        self, dynamodb: Any, box: Middlebox, server: Server, tables: tuple[str, str], **settings: object
    ) -> None:
        self.dynamodb, self.box, self.source, self.replica = dynamodb, box, *tables
        given = {"start_at": "trim_horizon", "checkpoint_interval_seconds": 0.2} | settings
        self._over = asyncio.Event()
        self.active, self.standby = (Product(server, tables, replica=box.server, **given) for _ in range(2))

    def refuse_bad(self) -> None:
        """The replica takes everything but bad items."""

        async def refusal(operation: str, asked: bytes) -> bytes | None:
            return INVALID if BAD.encode() in asked and "Item" in operation else None

        self.box.refusal = refusal

    def throttle(self) -> None:
        """The replica answers that it can't, to everything but a description of it."""

        async def refusal(operation: str, asked: bytes) -> bytes | None:
            return SLOWER if self._is_work(operation, asked) else None

        self.box.refusal = refusal

    def hang(self) -> asyncio.Event:
        """The replica does not answer until `calm`, and does nothing then. Set: it is asked."""
        begun, self._over = asyncio.Event(), asyncio.Event()
        over = self._over

        async def refusal(operation: str, asked: bytes) -> bytes | None:
            if not self._is_work(operation, asked):
                return None
            begun.set()
            await over.wait()
            return SLOWER

        self.box.refusal = refusal
        return begun

    def _is_work(self, operation: str, asked: bytes) -> bool:
        return f'"{self.replica}"'.encode() in asked and operation != "DescribeTable"

    def calm(self) -> None:
        async def refusal(operation: str, asked: bytes) -> None:
            return None

        self.box.refusal = refusal
        self._over.set()

    async def put(self, key: str, value: str = "1") -> None:
        await self.dynamodb.put_item(TableName=self.source, Item={"key": {"S": key}, "value": {"S": value}})

    async def put_bad(self, key: str) -> None:
        await self.put(key, BAD)

    async def damaged(self) -> None:
        """The active one has replicated all but some dead letters, and then everything is lost in the replica."""
        await (await self.active.start()).until_running()
        self.refuse_bad()
        await asyncio.gather(*[self.put_bad(f"bad{number}") for number in range(LETTERS)])
        await asyncio.gather(*[self.put(f"key{number}") for number in range(ITEMS)])
        await self.until_there(ITEMS)
        await self.active.until(lambda status: status["dead_letters"] == LETTERS)
        await self.active.until_caught_up()
        for number in range(ITEMS):
            await self.dynamodb.delete_item(TableName=self.replica, Key={"key": {"S": f"key{number}"}})

    async def count(self) -> int:
        """Items in the replica."""
        return len(await scan(self.dynamodb, self.replica))

    async def until_there(self, count: int) -> None:
        """Until the replica has so many items. How many writes that took may differ: an answer may come too late."""

        async def are_there() -> bool:
            return await self.count() == count

        await until(are_there, f"{count} items are in the replica")


@asynccontextmanager
async def asked(server: Server, unique_name: Callable[[str], str], **settings: object) -> AsyncIterator[Asked]:
    tables = unique_name("source"), unique_name("replica")
    async with sdk_client(server.endpoint_url) as dynamodb, Middlebox(server, chances={}) as box:
        await create_streamed_table(dynamodb, tables[0])
        await create_streamed_table(dynamodb, tables[1], view_type=None)
        found = Asked(dynamodb, box, server, tables, **settings)
        async with found.active, found.standby:
            yield found


async def jobs_of(product: Product, kind: Kind) -> list[dict[str, Any]]:
    while True:
        answer = await product.get(kind.jobs)
        if answer.status_code != 503:  # the control table did not answer in time: the machine may be busy
            break
        await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def until_there(look: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
    """What it finds, once that is anything."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.1)


async def running(product: Product, kind: Kind) -> dict[str, Any]:
    """The one job of its kind that runs, as soon as it does."""

    async def look() -> list[dict[str, Any]]:
        return [job for job in await jobs_of(product, kind) if job["state"] == "running"]

    (job,) = await until_there(look)
    return dict(job)


async def ended(product: Product, kind: Kind, job_id: str) -> dict[str, Any]:
    async def look() -> list[dict[str, Any]]:
        return [job for job in await jobs_of(product, kind) if job["id"] == job_id and job["state"] != "running"]

    return dict((await until_there(look))[0])
