"""A verification by a process of its own: beside a running service, and where none runs."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.command import Command
from tests.fakes.faults import Moment
from tests.fakes.service import Service
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.damaged_tables import damage, differing, filled, findings
from tests.support.invariants import check_all, check_equal, check_never_back
from tests.support.numbered_items import item, key


async def filled_world() -> World:
    """Its service has stopped, everything replicated."""
    world = World()
    async with Service(world) as service:
        await filled(service)
    return world


async def test_exactly_the_damaged_items_are_found_while_nobody_replicates():
    world = await filled_world()
    expected = damage(world)
    command = Command(world)
    job = await command.look()
    assert differing(job) == expected
    assert job.items_compared == 21
    assert command.shown[-1] == job
    assert len(command.shown) > 10


async def test_what_a_running_service_has_on_its_way_is_no_difference():
    world = World(timing=Timing(record_delay=(2.0, 3.0)))
    async with Service(world) as service:
        await filled(service)
        for number in range(10):
            world.source.put(item(number, "2"))
            world.source.delete(key(10 + number))
        started = world.clock.now()
        assert findings(await Command(world).look()) == {}
        assert world.clock.now() - started < 20, "what arrives is seen before the settle time is over"
        expected = damage(world)
        assert differing(await Command(world).look()) == expected


async def test_a_key_that_changes_all_the_time_is_let_go():
    world = World(timing=Timing(record_delay=(0.5, 3.0)))
    async with Service(world) as service:
        await filled(service)

        async def change() -> None:
            for number in range(1000):
                world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        assert findings(await Command(world).look()) == {}
        changing.cancel()


async def test_a_repair_mends_where_nobody_replicates_and_a_second_look_finds_nothing():
    world = await filled_world()
    expected = damage(world)
    job = await Command(world).repair()
    assert differing(job) == expected
    assert job.repaired == 4
    assert findings(await Command(world).look()) == {}
    check_equal(world)


async def test_another_verification_that_a_dead_process_left_ends_before_the_repair_begins():
    world = World(max_latency=0.5)
    world.source.page_bytes = 200
    service = await Service(world).open()
    await filled(service)
    damage(world)
    left = await service.verifications.start(await service.flow(), sample=0.5)
    await service.die()
    job = await Command(world).repair()
    assert (job.repaired, job.sample) == (4, None)
    entries = await world.process().control.list_jobs("verification", 10)
    assert {entry["document"]["id"] for entry in entries} == {left.id, job.id}
    assert {entry["document"]["state"] for entry in entries} == {"done"}


async def test_a_repair_of_a_pipeline_that_needs_a_snapshot_comes_after_it():
    world = World()
    world.source.preset(*[item(number) for number in range(5)])
    world.replica.preset(item(99))
    assert findings(await Command(world, start_at="snapshot").repair()) == {"extra": 1, "repaired": 1}
    check_equal(world)


async def test_a_repair_before_any_service_ever_ran_is_no_hindrance_to_the_first():
    world = World()
    world.source.preset(*[item(number) for number in range(5)])
    assert (await Command(world).repair()).repaired == 5
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
    repairing = asyncio.create_task(Command(world).repair())
    await asyncio.sleep(1)
    async with Service(world) as second:
        job = await repairing
        assert job.repaired == 4
        await second.until_caught_up()
        world.source.put(item(1, "9"))
        await asyncio.sleep(5)
        assert findings(await second.verify()) == {}
    check_never_back(world)


@pytest.mark.parametrize("dies_at_call", [*range(4, 100, 2), None])
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
    await process.live(Command(world, process).repair())
    assert process.is_dead is (dies_at_call is not None)
    assert process.is_dead or world.replica.item(key(3)) is None
    async with Service(world) as second:
        await second.until_caught_up()
    check_all(world)
