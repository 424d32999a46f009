"""A whole running flow over many listed shards, a tenth of them open, as a busy table of a day has them.

TEST_SHARDS=20000 makes it the real thing, of a minute and 280 MiB.

It begins at the trim horizon, catches up, saves its progress, and restarts from it. The progress lies in the items that
the control table would have, with DynamoDB's prices.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from service.aws.control.store import DynamoControlStore
from service.pipeline_state import Lease, PipelineRecord
from tests.fakes.control_store import FakeControlStore
from tests.fakes.control_table import FakeControlTable
from tests.fakes.items import FakeItems
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.numbered_items import item

LISTED = int(os.environ.get("TEST_SHARDS", "3000"))
OPEN = LISTED // 10
BUSY = 10
SECONDS = 20


class PricedStore(FakeControlStore):
    """The progress is kept by the store of the control table, on items in memory."""

    def __init__(self, table: FakeControlTable, items: FakeItems) -> None:
        super().__init__(table)
        self._progress = DynamoControlStore(items, "control", self.pipeline)

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        return await self._progress.adopt_progress(lease)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        await self._progress.save_progress(lease, record)

    async def read_progress(self) -> PipelineRecord | None:
        return await self._progress.read_progress()


class Costs:
    """Of everything since the last look."""

    def __init__(self, world: World, items: FakeItems) -> None:
        self._world, self._items = world, items
        self.look()

    def look(self) -> dict[str, int]:
        calls, items = self._world.source.stream.calls, self._items
        now = {**calls, "write units": items.units, "read units": items.read_units, "saves": items.requests}
        since = {name: count - getattr(self, "_before", {}).get(name, 0) for name, count in now.items()}
        self._before = now
        return since


def rolled_world() -> World:
    """Each of the open shards has rolled nine times; every hundredth shard has a record."""
    world = World(5, shards=OPEN, max_latency=0.02)
    stream = world.source.stream
    number = 0
    for generation in range(LISTED // OPEN):
        if generation:
            for shard in stream.open_shards:
                stream.roll(shard.shard_id)
        for _ in range(OPEN // 100):
            world.source.put(item(number % 150, str(number)))
            number += 1
    assert (len(stream.shards), len(stream.open_shards)) == (LISTED, OPEN)
    return world


def service_on(world: World, items: FakeItems, **more: Any) -> Service:
    process = world.process()
    process.control = process.connection.to(PricedStore(world.control, items), "control")
    return Service(world, process, start_at="trim_horizon", poll_interval_seconds=5, lease_seconds=60, **more)


async def until_caught_up(service: Service) -> None:
    """Looked at now and then: a status of so many shards takes a while."""
    await service.flow()
    while not service.report.status().lag.caught_up:  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(30)


async def test_twenty_thousand_shards_are_read_once_saved_cheaply_and_gone_on_from() -> None:
    world, items = rolled_world(), FakeItems()
    costs = Costs(world, items)
    service = await service_on(world, items).open()

    await until_caught_up(service)
    first = costs.look()
    assert first["iterator"] == LISTED, "each is opened once"
    assert first["describe"] <= 2 * LISTED // OPEN, "each generation is found by one list"
    assert first["write units"] < LISTED, "less than one for each shard"

    for _ in range(SECONDS):
        for number in range(BUSY):
            world.source.put(item(number, "9"))
        await asyncio.sleep(1)
    busy = costs.look()
    assert busy["iterator"] == 0
    assert busy["describe"] <= 2, "a list of so many takes 200 requests"
    assert busy["read"] < SECONDS * OPEN
    assert 0 < busy["write units"] <= 25 * SECONDS
    await service.die()

    async with service_on(world, items) as second:
        await until_caught_up(second)
        again = costs.look()
        assert again["iterator"] == OPEN, "what was read to its end is not asked for again"
        assert again["describe"] <= 3
        assert again["read units"] < 2000
        assert again["write units"] < 1500
        assert len(second.report.status().shards) >= OPEN
        check_all(world)
