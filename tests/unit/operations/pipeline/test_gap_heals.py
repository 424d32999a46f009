"""DYNAMIRROR_ON_GAP=snapshot: a running service mends lost history by itself, and removes what the source lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.events import Observers
from service.operations.documents.status import PipelineState
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from service.ports import Adapters
from tests.fakes.service import settings_of, until
from tests.fakes.world import World
from tests.support.invariants import check_equal
from tests.support.numbered_items import item, key


def switched_off_and_on(world: World) -> None:
    """The new stream knows nothing of what was written while there was none."""
    world.source.stream.disable()
    write_unseen(world)
    world.source.recreate_stream()


def trimmed(world: World) -> None:
    """The process is cut off while the history is written and trimmed."""
    write_unseen(world)
    for shard_id, shard in list(world.source.stream.shards.items()):
        world.source.stream.roll(shard_id)
        world.source.stream.trim(shard.shard_id)


def write_unseen(world: World) -> None:
    world.source.delete(key(0))
    world.source.put(item(1, "2"))
    world.source.put(item(9))


@pytest.mark.parametrize("lose", [switched_off_and_on, trimmed])
async def test_history_that_is_lost_while_it_runs_is_mended_by_itself(lose: Callable[[World], None]) -> None:
    world = World()
    process = world.process()

    async def look() -> Outside:
        streams = process.connection.to(world.source.stream, "streams")  # whichever is the table's stream by now
        adapters = Adapters(streams, process.source, process.replica, process.control, process.schema, process.clock)
        return Outside(adapters, await world.source.describe(), await world.replica.describe())

    outside = await look()
    pipeline = Pipeline(
        settings=settings_of(on_gap="snapshot"),
        outside=outside,
        look_again=look,
        owner="the-only-one",
        observer=Observers(),
    )
    snapshots = Snapshots(pipeline)
    running = asyncio.create_task(process.live(pipeline.run()))
    await until(lambda: pipeline.state is PipelineState.RUNNING)
    for number in range(5):
        world.source.put(item(number))
    await until(lambda: len(world.replica.items) == 5)

    lose(world)
    await until(lambda: world.replica.items.keys() == world.source.items.keys() and not pipeline.gaps)

    assert [job.items_scanned for job in await snapshots.newest()] == [5]
    check_equal(world)
    pipeline.stop()
    await running
