"""A status tells one story, at every turn of the loop: who replicates is no standby, a standby does not replicate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.operations.documents.status import PipelineState, Role
from tests.fakes.clock import VirtualTimeLoop
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.known_pipeline import play, refuse_all

REPLICATING = {PipelineState.RUNNING, PipelineState.SNAPSHOTTING, PipelineState.PAUSED}


def look(*services: Service) -> Callable[[], set[tuple[Role, PipelineState]]]:
    """From now on, until the returned is called: what was ever told."""
    told: set[tuple[Role, PipelineState]] = set()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)

    def look_once() -> None:
        for service in services:
            status = service.report.status()
            told.add((status.role, status.state))

    def end() -> set[tuple[Role, PipelineState]]:
        loop.on_turn = lambda: None
        return told

    loop.on_turn = look_once
    return end


def check(told: set[tuple[Role, PipelineState]]) -> None:
    assert (Role.ACTIVE, PipelineState.STANDBY) not in told
    assert not told & {(Role.STANDBY, state) for state in REPLICATING}


def test_when_a_standby_takes_over() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            end = look(standby)
            await active.die()
            await standby.until_caught_up()
            told = end()
            assert {(Role.STANDBY, PipelineState.STANDBY), (Role.ACTIVE, PipelineState.RUNNING)} <= told
            check(told)

    play(scenario)


def test_when_a_pipeline_is_handed_over() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            end = look(active, standby)
            active.pipeline.hand_over(standby.pipeline.holder.owner)
            await standby.until_caught_up()
            await asyncio.sleep(5)
            check(end())

    play(scenario)


def test_when_a_lease_is_lost_and_taken_again() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=5) as service:
            await service.until_caught_up()
            end = look(service)
            refuse_all(world, 30)
            await asyncio.sleep(31)
            await service.until_caught_up()
            told = end()
            assert (Role.STANDBY, PipelineState.STANDBY) in told
            check(told)

    play(scenario)


def test_when_it_stops_in_order() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            end = look(service)
            service.pipeline.stop()
            await service.running
            told = end()
            assert (Role.ACTIVE, PipelineState.STOPPING) in told
            check(told)

    play(scenario)
