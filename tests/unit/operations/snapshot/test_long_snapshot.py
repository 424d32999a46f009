"""A snapshot that takes longer than the stream keeps its records (E67), on a clock that the test moves."""

from __future__ import annotations

import asyncio

from service.operations.documents.status import PipelineState
from tests.fakes.clock import run_virtual
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import Judge

ITEMS = 600
HOUR = 3600.0
RETENTION_SECONDS = 24 * HOUR
ITEMS_PER_SECOND = ITEMS / (30 * HOUR)


def item(number: int, content: int) -> dict[str, dict[str, str]]:
    return {"key": {"S": f"k{number}"}, "value": {"N": str(content)}}


async def write_and_trim(world: World) -> None:
    """A change a quarter of an hour, and a stream that forgets what is older than a day."""
    content = ITEMS
    while True:
        await asyncio.sleep(HOUR / 4)
        content += 1
        if content % 5:
            world.source.put(item(content % ITEMS, content))
        else:
            world.source.delete({"key": {"S": f"k{content % ITEMS}"}})
        if content % 20 == 0:
            world.source.stream.roll()
        world.source.stream.trim_older_than(RETENTION_SECONDS)


def test_a_snapshot_of_more_than_24_hours_loses_nothing_since_the_stream_goes_on_meanwhile() -> None:
    async def scenario() -> None:
        world = World()
        world.source.preset(*[item(number, number) for number in range(ITEMS)])
        began_at = world.clock.now()
        async with Service(
            world,
            start_at="snapshot",
            max_writes_per_second=ITEMS_PER_SECOND,
            poll_interval_seconds=60,
            lease_seconds=3600,
            checkpoint_interval_seconds=60,
        ) as service:
            writing = asyncio.create_task(write_and_trim(world))
            await until(lambda: service.pipeline.is_snapshotting)
            while service.pipeline.is_snapshotting:
                await asyncio.sleep(HOUR)
                assert service.pipeline.state in (PipelineState.SNAPSHOTTING, PipelineState.RUNNING)
            assert world.clock.now() - began_at > RETENTION_SECONDS
            writing.cancel()
            await asyncio.sleep(20 * HOUR)
            assert service.report.status().gaps == []
            snapshot = (await service.snapshots.newest())[0]
            assert snapshot.items_scanned >= ITEMS - 50
            Judge(world).check_all()

    run_virtual(scenario, limit_seconds=100 * HOUR)
