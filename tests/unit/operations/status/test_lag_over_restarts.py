"""The lag goes on through a restart, a failure and a pause (E32, E75)."""

from __future__ import annotations

import asyncio

from service.operations.documents.status import PipelineState
from service.operations.pipeline.pause import Pause
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import outage, play, put, unready


def test_the_lag_of_a_failed_pipeline_grows_from_where_it_had_come() -> None:
    """I8, E9: the stream is gone while it is read."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            world.source.stream.vanish()
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            await asyncio.sleep(100)
            status = service.report.status()
            assert status.lag.seconds is not None
            assert 95 < status.lag.seconds < 140
            assert not status.lag.caught_up
            assert unready(service) is not None

    play(scenario)


def test_a_restart_while_paused_goes_on_with_the_lag() -> None:
    """I8: the pause, and what it holds back, are as old as they were before."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await Pause(service.pipeline).pause()
            await asyncio.sleep(100)
        put(world, 1)
        for minutes in (1, 2):
            await asyncio.sleep(60)
            async with Service(world) as service:
                await until(lambda: service.pipeline.state is PipelineState.PAUSED)
                await service.flow()
                status = service.report.status()
                assert status.lag.seconds is not None
                assert 100 + 60 * minutes - 5 < status.lag.seconds < 100 + 60 * minutes + 20
                if minutes == 2:
                    await Pause(service.pipeline).resume()
                    await service.until_caught_up()
                    seconds = service.report.status().lag.seconds
                    assert seconds is not None
                    assert seconds < 2

    play(scenario)


def test_a_restart_while_the_stream_can_not_be_read_goes_on_with_the_lag() -> None:
    """I8; the first process is killed, and tells nothing at its end."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await service.die()
        await outage(world, "streams", 10_000)
        put(world, 1)
        await asyncio.sleep(300)
        async with Service(world) as service:
            await service.flow()
            await asyncio.sleep(5)
            status = service.report.status()
            assert status.shards == []
            assert status.lag.seconds is not None
            assert 300 < status.lag.seconds < 340
            assert not status.lag.caught_up

    play(scenario)


def test_a_shard_that_is_found_later_counts_from_then() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
        await asyncio.sleep(3600)
        async with Service(world) as service:
            await service.until_caught_up()
            world.source.stream.split(world.source.stream.open_shards[0].shard_id)
            await until(lambda: len(service.report.status().shards) == 3)
            seconds = service.report.status().lag.seconds
            assert seconds is not None
            assert seconds < 60

    play(scenario)
