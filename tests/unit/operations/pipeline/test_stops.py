"""A stop is over in time, whatever hangs; what is reached in time is done in order, the rest is as after a crash.

Time is virtual: the bounds below are the product's own, to the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.events import Observers, Warned
from service.lambda_mode.writer_without_stream import SidePipeline
from service.model import ItemKey
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pause import Pause
from tests.fakes.command import Command
from tests.fakes.service import Service, settings_of, until
from tests.fakes.world import Process, World
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item
from tests.unit.operations.test_standalone import filled_world

SECONDS = 10.0
PORTS = frozenset({"streams", "source", "replica", "control"})
HANGS = [*({port} for port in sorted(PORTS)), {"control.release_lease"}, {"control.save_progress"}, PORTS]
ROUNDING = 1e-6


def named(hanging: set[str]) -> str:
    return " and ".join(sorted(hanging))


async def seconds_of(end: Callable[[], object], running: Awaitable[object]) -> float:
    """How long a stop takes."""
    start = asyncio.get_running_loop().time()
    end()
    await asyncio.wait([asyncio.ensure_future(running)])
    return asyncio.get_running_loop().time() - start


async def loaded(service: Service) -> None:
    """Some of it is applied, some on its way."""
    await service.until_caught_up()
    for number in range(5):
        service.world.source.put(item(number))
    await asyncio.sleep(1)
    service.world.source.put(item(5))


async def after_it(world: World) -> None:
    """The next start makes good whatever the stop left."""
    async with Service(world, start_at="trim_horizon") as service:
        await service.until_caught_up()
    check_equal(world)
    check_all(world)


@pytest.mark.parametrize("timeout", [0.0, SECONDS])
@pytest.mark.parametrize("hanging", HANGS, ids=named)
async def test_a_stop_under_load_is_over_in_time_whatever_hangs(hanging: set[str], timeout: float):
    world = World()
    service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=timeout).open()
    await loaded(service)
    service.process.connection.hanging |= hanging
    world.source.put(item(6))
    await asyncio.sleep(2)

    assert await seconds_of(service.pipeline.stop, service.running) <= max(timeout, 0.5) + ROUNDING
    await service.running
    await after_it(world)


async def test_a_replica_that_hangs_keeps_no_save_and_no_release_from_their_time():
    world = World()
    service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    await loaded(service)
    await until(lambda: len(world.replica.items) == 6)
    service.process.connection.hanging |= {"replica", "control.save_progress"}
    world.source.put(item(6))
    await asyncio.sleep(2)
    service.process.connection.hanging -= {"control.save_progress"}

    await seconds_of(service.pipeline.stop, service.running)
    items = world.control.of("source--replica")
    assert items.lease is not None
    assert items.progress is not None
    assert (items.lease.is_released, items.lease.is_clean) == (True, False)
    (checkpoint,) = items.progress.checkpoints.values()
    (written,) = [state.sequence for state in world.source.history[ItemKey(b'{"key":{"S":"key5"}}')] if state.sequence]
    assert checkpoint.position.after == written
    await after_it(world)


async def test_a_save_that_hangs_keeps_no_release_from_its_time():
    world = World()
    service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    await loaded(service)
    service.process.connection.hanging |= {"control.save_progress"}
    world.source.put(item(6))
    await until(lambda: len(world.replica.items) == 7)

    await seconds_of(service.pipeline.stop, service.running)
    lease = world.control.of("source--replica").lease
    assert lease is not None
    assert (lease.is_released, lease.is_clean) == (True, False)
    await after_it(world)


async def test_a_stop_that_was_cut_says_so_once_and_one_that_was_not_says_nothing():
    class Said:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def observe(self, event: object) -> None:
            if isinstance(event, Warned) and event.topic == "stop":
                self.texts.append(event.text)

    said, world = Said(), World()
    for hanging in (set(), PORTS):
        service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
        service.pipeline.observer = Observers(said)
        await loaded(service)
        assert said.texts == []
        service.process.connection.hanging |= hanging
        world.source.put(item(6))
        await asyncio.sleep(1)
        await seconds_of(service.pipeline.stop, service.running)
    (text,) = said.texts
    assert text.startswith("the stop was cut short after 10 s: ")
    assert "the lease is not released" in text


async def calls_of_a_life() -> list[str]:
    """Whatever one process asks for, from its start to its end."""
    process = (world := World()).process()
    async with Service(world, process) as service:
        await loaded(service)
    return sorted(set(process.connection.made))


async def test_a_stop_is_over_in_time_whichever_call_has_hung_from_the_beginning():
    calls = await calls_of_a_life()
    assert {"control.adopt_progress", "control.acquire_lease", "streams.describe", "replica.write_batch"} <= set(calls)
    for call in calls:
        process = (world := World()).process()
        process.connection.hanging.add(call)
        more = {"start_at": "trim_horizon", "lease_seconds": 30, "shutdown_timeout_seconds": SECONDS}
        service = await Service(world, process, **more).open()
        for number in range(4):
            world.source.put(item(number))
            await asyncio.sleep(1)
        assert await seconds_of(service.pipeline.stop, service.running) <= SECONDS + ROUNDING, call
        await service.running
        await after_it(world)


@pytest.mark.parametrize("hanging", [PORTS, {"control"}], ids=named)
@pytest.mark.parametrize("state", ["standby", "paused", "failed"])
async def test_a_stop_is_over_in_time_in_every_state(state: str, hanging: set[str]):
    world = World()
    first = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    await loaded(first)
    service = first
    if state == "standby":
        service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    elif state == "paused":
        await Pause(service.pipeline).pause()
        world.source.put(item(6))
    else:
        world.source.recreate_stream()
        await first.die()
        await asyncio.sleep(40)
        service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    await until(lambda: service.pipeline.state == state)
    service.process.connection.hanging |= hanging
    await asyncio.sleep(1)
    assert await seconds_of(service.pipeline.stop, service.running) <= SECONDS + ROUNDING
    if service is not first:
        await first.die()


@pytest.mark.parametrize("kind", ["verification", "repair", "replay", "redrive"])
async def test_a_job_under_way_holds_up_no_stop(kind: str):
    world = World()
    service = await Service(world, lease_seconds=30, shutdown_timeout_seconds=SECONDS).open()
    await loaded(service)
    flow = await service.flow()
    if kind == "replay":
        await service.replays.start(flow, from_="trim_horizon")
    elif kind != "redrive":
        await service.verifications.start(flow, repair=kind == "repair", sample=None)
    else:
        redriving = asyncio.create_task(service.redrive())
    service.process.connection.hanging |= PORTS
    await asyncio.sleep(2)
    assert await seconds_of(service.pipeline.stop, service.running) <= SECONDS + ROUNDING
    if kind == "redrive":
        redriving.cancel()


async def test_a_pause_that_comes_in_a_stop_ends_it_rather_than_holding_it_up():
    world = World()
    service = await Service(world, shutdown_timeout_seconds=60, max_writes_per_second=1).open()
    await service.until_caught_up()
    for number in range(40):
        world.source.put(item(number))
    await asyncio.sleep(2)
    service.pipeline.stop()
    await asyncio.sleep(1)
    assert not service.running.done()

    await Pause(service.pipeline).pause()
    await asyncio.sleep(2)
    assert service.running.done()
    written = len(world.replica.items)
    await asyncio.sleep(100)
    assert len(world.replica.items) == written < 40


async def beside_lambda(world: World, process: Process) -> SidePipeline:
    async def look() -> Outside:
        return Outside(process.adapters, await world.source.describe(), await world.replica.describe())

    return SidePipeline(
        settings=settings_of(lease_seconds=30, shutdown_timeout_seconds=SECONDS),
        outside=await look(),
        look_again=look,
        owner="admin",
        observer=Observers(),
    )


@pytest.mark.parametrize("hanging", HANGS, ids=named)
async def test_a_process_beside_lambda_stops_in_time_too(hanging: set[str]):
    process = (world := World()).process()
    pipeline = await beside_lambda(world, process)
    running = asyncio.create_task(pipeline.run(), name="admin")
    await until(lambda: pipeline.replicator is not None)
    process.connection.hanging |= hanging
    await asyncio.sleep(30)
    assert await seconds_of(pipeline.stop, running) <= SECONDS + ROUNDING


@pytest.mark.parametrize("hanging", HANGS, ids=named)
@pytest.mark.parametrize("work", [Command.snapshot, Command.repair], ids=["snapshot", "repair"])
async def test_a_job_by_itself_that_is_stopped_is_over_in_time(work: Callable[..., Any], hanging: set[str]):
    command = Command(filled_world(), lease_seconds=30, shutdown_timeout_seconds=SECONDS)
    running = asyncio.create_task(work(command), name="command")
    await asyncio.sleep(0.3)
    command.process.connection.hanging |= hanging
    await asyncio.sleep(5)
    assert await seconds_of(running.cancel, running) <= SECONDS + ROUNDING
