"""What a start shows before it knows anything: `starting`, until the stream was looked at for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.errors import UnavailableError
from service.operations.documents.status import PipelineState
from service.replication.reading.first_look import FirstLook
from tests.fakes.clock import EPOCH
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item


async def shown(service: Service, last: Callable[[], bool]) -> list[PipelineState]:
    """The states, one after the other, until that holds; each call takes some milliseconds here."""
    states: list[PipelineState] = []
    async with asyncio.timeout(60):
        while not last():
            if service.pipeline.state not in states[-1:]:
                states.append(service.pipeline.state)
            await asyncio.sleep(0.001)
    return [*states, service.pipeline.state]


def trim(world: World) -> None:
    for value in ("2", "3"):
        world.source.put(item(1, value))
    for shard_id in list(world.source.stream.shards):
        world.source.stream.trim(shard_id)


@pytest.mark.parametrize("lose", [trim, lambda world: world.source.recreate_stream()])
async def test_a_start_that_finds_a_gap_never_shows_running(lose: Callable[[World], object]) -> None:
    world = World(1, max_latency=0.05)
    async with Service(world) as first:
        await first.until_caught_up()
        world.source.put(item(1))
        await asyncio.sleep(5)
    lose(world)
    async with Service(world) as second:
        states = await shown(second, lambda: second.pipeline.state is PipelineState.FAILED)
    assert PipelineState.RUNNING not in states
    assert states[-1] is PipelineState.FAILED


@pytest.mark.parametrize("start_at", ["latest", "trim_horizon"])
async def test_a_first_start_shows_running_once_it_has_looked(start_at: str) -> None:
    world = World(1, max_latency=0.05, shards=4)
    async with Service(world, start_at=start_at) as service:
        states = await shown(service, lambda: service.pipeline.state is PipelineState.RUNNING)
        assert states == [PipelineState.STARTING, PipelineState.RUNNING]
        assert service.process.connection.made.count("streams.read") >= 4


async def test_a_shard_that_can_not_be_read_does_not_keep_it_from_running() -> None:
    """Readiness tells of the shard."""
    world = World(1, max_latency=0.05)
    async with Service(world) as first:
        await first.until_caught_up()
    world.plan.fail_next("streams.read", UnavailableError("no connection", "X"), times=20)
    async with Service(world) as second:
        await shown(second, lambda: second.pipeline.state is PipelineState.RUNNING)
        assert world.plan.seen["streams.read UnavailableError"] < 5


async def test_a_paused_start_shows_the_pause() -> None:
    world = World(1, max_latency=0.05)
    async with Service(world) as first:
        await first.until_caught_up()
    await first.adapters.control.set_paused(True)
    async with Service(world) as second:
        await shown(second, lambda: second.pipeline.state is PipelineState.PAUSED)
        await asyncio.sleep(10)
        assert second.pipeline.state is PipelineState.PAUSED
        await second.adapters.control.set_paused(False)
        await until(lambda: second.pipeline.state is PipelineState.RUNNING)


def test_a_list_without_anything_to_read_is_a_look() -> None:
    look, told = FirstLook(), []
    look.on_done = lambda: told.append(EPOCH)
    assert not look.is_done
    look.begin([])
    assert look.is_done
    assert told == [EPOCH]


async def test_a_backlog_that_nobody_takes_does_not_keep_it_from_running() -> None:
    """More shards than are read at once, and a queue that stays full: what there is to see of a start was seen."""
    world = World(1, shards=24)
    for number in range(600):
        world.source.put(item(number))
    world.plan.fail_next("replica.write_batch", UnavailableError("busy", "503"), times=1000)
    async with Service(world, start_at="trim_horizon", queue_max_records=10) as service:
        states = await shown(service, lambda: service.pipeline.state is PipelineState.RUNNING)
        assert states == [PipelineState.STARTING, PipelineState.RUNNING]
        assert not service.report.status().lag.caught_up
        world.plan.fail_no_more()
        await service.until_caught_up()
