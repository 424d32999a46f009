"""A verification by a process of its own: beside a running service, and where none runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.operations.console import ConflictError
from service.operations.documents.jobs import Verification
from service.operations.verification.standalone import verify_standalone
from service.replication.guard_window import MARGIN_SECONDS
from tests.fakes.faults import Moment
from tests.fakes.service import Service, settings_of
from tests.fakes.stream import Timing
from tests.fakes.world import Process, World
from tests.support.invariants import check_all, check_equal, check_never_back
from tests.unit.operations.verification.test_verifications import damage, differing, filled, findings, item, key


async def verified(world: World, process: Process | None = None, **asked: Any) -> Verification:
    line = process or world.process()
    adapters = line.adapters
    return await verify_standalone(adapters, settings_of(), await world.source.describe(), **asked)


async def filled_world() -> World:
    """Its service has stopped, everything replicated."""
    world = World()
    async with Service(world) as service:
        await filled(service)
    return world


async def test_exactly_the_damaged_items_are_found_while_nobody_replicates():
    world = await filled_world()
    expected = damage(world)
    shown: list[Verification] = []
    job = await verified(world, on_progress=shown.append)
    assert differing(job) == expected
    assert job.items_compared == 21
    assert shown[-1] == job
    assert len(shown) > 10


async def test_what_a_running_service_has_on_its_way_is_no_difference():
    world = World(timing=Timing(record_delay=(2.0, 3.0)))
    async with Service(world) as service:
        await filled(service)
        for number in range(10):
            world.source.put(item(number, "2"))
            world.source.delete(key(10 + number))
        started = world.clock.now()
        assert findings(await verified(world)) == {}
        assert world.clock.now() - started < 20, "what arrives is seen before the settle time is over"
        expected = damage(world)
        assert differing(await verified(world)) == expected


async def test_a_key_that_changes_all_the_time_is_let_go():
    world = World(timing=Timing(record_delay=(0.5, 3.0)))
    async with Service(world) as service:
        await filled(service)

        async def change() -> None:
            for number in range(1000):
                world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        assert findings(await verified(world)) == {}
        changing.cancel()


async def test_a_repair_is_refused_while_a_service_replicates():
    world = World()
    async with Service(world) as service:
        await filled(service)
        expected = damage(world)
        with pytest.raises(ConflictError, match="--url"):
            await verified(world, repair=True)
        assert differing(await service.verify()) == expected, "nothing was written"


async def test_a_repair_is_refused_in_a_pause():
    world = await filled_world()
    await world.process().control.set_paused(True)
    with pytest.raises(ConflictError, match="resume"):
        await verified(world, repair=True)


async def test_a_repair_mends_where_nobody_replicates_and_a_second_look_finds_nothing():
    world = await filled_world()
    expected = damage(world)
    job = await verified(world, repair=True)
    assert differing(job) == expected
    assert job.repaired == 4
    assert findings(await verified(world)) == {}
    check_equal(world)


async def test_a_repair_before_any_service_ever_ran_is_no_hindrance_to_the_first():
    world = World()
    world.source.preset(*[item(number) for number in range(5)])
    assert (await verified(world, repair=True)).repaired == 5
    async with Service(world, start_at="trim_horizon") as service:
        world.source.put(item(1, "2"))
        await asyncio.sleep(5)
        await service.until_caught_up()
    check_all(world)


async def test_a_service_that_comes_meanwhile_waits_for_the_repair_and_then_replicates():
    world = World(max_latency=0.5)
    world.source.page_bytes = 200
    async with Service(world) as service:
        await filled(service)
    damage(world)
    repairing = asyncio.create_task(verified(world, repair=True))
    await asyncio.sleep(1)
    async with Service(world) as second:
        job = await repairing
        assert job.repaired == 4
        await second.until_caught_up()
        world.source.put(item(1, "9"))
        await asyncio.sleep(5)
        assert findings(await second.verify()) == {}
    check_never_back(world)


async def test_before_the_first_write_of_a_repair_a_successor_is_told_to_guard():
    world = await filled_world()
    damage(world)
    seen: list[float] = []

    def look(write: Any) -> None:
        progress = world.control.of("source--replica").progress
        assert progress is not None
        seen.append(progress.guarded_until - world.clock.now())

    world.replica.poison = look
    await verified(world, repair=True)
    assert len(seen) == 4
    assert min(seen) > MARGIN_SECONDS


@pytest.mark.parametrize("dies_at_call", [*range(4, 44, 2), None])
async def test_what_a_repair_wrote_ahead_of_the_stream_is_never_taken_back(dies_at_call):
    world = World()
    service = await Service(world).open()
    await filled(service)
    await service.die()
    for value in ("2", "1", "3", "1"):
        world.source.put(item(1, value))
        world.source.delete(key(2))
        world.source.put(item(2, value))
        world.source.delete(key(3))
        await asyncio.sleep(5)
    process = world.process()
    if dies_at_call is not None:
        process.crash_at(dies_at_call, Moment.AFTER)
    await process.live(verified(world, process, repair=True))
    assert process.is_dead is (dies_at_call is not None)
    assert process.is_dead or world.replica.item(key(3)) is None
    async with Service(world) as second:
        await second.until_caught_up()
    check_all(world)
