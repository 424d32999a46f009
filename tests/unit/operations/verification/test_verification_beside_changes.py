"""What is on its way is no difference, and a repair takes nothing back."""

from __future__ import annotations

import asyncio

from service.errors import AmbiguousError, ChangeError, ThrottledError
from service.operations.documents.jobs import JobState
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.damaged_tables import damage, differing, filled, findings
from tests.support.invariants import check_all, check_never_back
from tests.support.numbered_items import item, key


async def test_what_is_on_its_way_is_no_difference():
    async with Service(World(timing=Timing(record_delay=(2.0, 3.0)))) as service:
        await filled(service)
        for number in range(10):
            service.world.source.put(item(number, "2"))
            service.world.source.delete(key(10 + number))
            service.world.source.put(item(20 + number))
        job = await service.verify()
        assert findings(job) == {}


async def test_a_key_that_changes_all_the_time_is_let_go():
    async with Service(World(timing=Timing(record_delay=(0.5, 3.0)))) as service:
        await filled(service)
        is_over = asyncio.Event()

        async def change() -> None:
            number = 1
            while not is_over.is_set():
                number += 1
                service.world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        job = await service.verify()
        is_over.set()
        await changing
        assert findings(job) == {}


async def test_a_busy_key_is_right_once_the_replica_shows_what_the_stream_brought_last():
    """Where the stream tells creation times by the minute, each verdict takes one: this key would need several."""
    world = World(timing=Timing(record_delay=(1.0, 1.0)))
    world.source.creation_step_seconds = 60.0
    async with Service(world) as service:
        await filled(service)

        async def change() -> None:
            for number in range(2, 10_000):
                world.source.put(item(0, str(number)))
                await asyncio.sleep(0.1)

        changing = asyncio.create_task(change())
        started_at = world.clock.now()
        assert findings(await service.verify()) == {}
        assert world.clock.now() - started_at < 10
        damaged = damage(world)
        assert differing(await service.verify()) == damaged, "what rests has its verdict all the same"
        changing.cancel()


async def test_a_key_whose_changes_are_not_written_differs_once_it_rests():
    """The looks that its changes have overtaken saw nothing that was on its way: dead letters are not."""
    world = World()
    async with Service(world) as service:
        await filled(service)
        poisoned = world.replica.key(key(0))
        world.replica.poison = lambda write: ChangeError("no") if write.key == poisoned else None
        verifying = asyncio.create_task(service.verify())
        for number in range(2, 22):
            world.source.put(item(0, str(number)))
            await asyncio.sleep(1)
        assert differing(await verifying) == {"key0": "different"}


async def test_a_content_that_comes_and_goes_is_no_difference():
    """Two looks may see the same source and the same replica, and many changes lie between."""
    async with Service(World(timing=Timing(record_delay=(0.5, 2.0)))) as service:
        await filled(service, 60)

        async def change(number: int) -> None:
            while True:
                for value in ("2", "1"):
                    service.world.source.put(item(number, value))
                    await asyncio.sleep(0.5 + 0.05 * number)

        changing = [asyncio.create_task(change(number)) for number in range(60)]
        for _ in range(3):
            assert findings(await service.verify()) == {}
        for task in changing:
            task.cancel()


async def test_a_pause_holds_the_verdicts_back_and_the_job_shows_that_it_runs():
    async with Service(World()) as service:
        await filled(service)
        service.world.source.put(item(1, "2"))
        service.world.replica.lose(key(2))
        job = await service.verifications.start(await service.flow())
        await asyncio.sleep(1)
        await service.adapters.control.set_paused(True)
        await asyncio.sleep(120)
        shown = await service.verifications.found(job.id)
        assert (shown.state, shown.items_compared) == (JobState.RUNNING, 20)
        await service.adapters.control.set_paused(False)
        assert differing(await service.ended(job.id)) == {"key2": "missing"}


async def test_a_repair_in_a_pause_waits_and_never_takes_the_replica_back():
    async with Service(World()) as service:
        await filled(service)
        service.world.replica.lose(key(1))
        job = await service.verifications.start(await service.flow(), repair=True)
        await asyncio.sleep(4)
        await service.adapters.control.set_paused(True)
        await asyncio.sleep(300)
        for value in ("2", "3"):
            service.world.source.put(item(1, value))
        await asyncio.sleep(300)
        await service.adapters.control.set_paused(False)
        assert (await service.ended(job.id)).state is JobState.DONE
        await service.until_caught_up()
    check_all(service.world)


async def test_a_repair_that_takes_long_never_takes_the_replica_back():
    """Its answer gets lost and its next tries are throttled: by then the source is further on."""
    world = World(timing=Timing(record_delay=(3.0, 3.0)))
    async with Service(world) as service:
        await filled(service)
        world.replica.lose(key(1))
        job = await service.verifications.start(await service.flow(), repair=True)
        await asyncio.sleep(5)
        world.plan.fail_next("replica.put", AmbiguousError("lost"), moment=Moment.AFTER)
        world.plan.fail_next("replica.put", ThrottledError("slow down"), times=40)
        for value in range(2, 200):
            await asyncio.sleep(1)
            if value > 70:
                world.source.put(item(1, str(value)))
        assert (await service.ended(job.id)).repaired == 1
        await asyncio.sleep(5)
        await service.until_caught_up()
        assert not (await service.flow()).window.is_held
    check_all(world)


async def test_a_repair_takes_its_turn_among_the_changes_of_its_key():
    world = World(seed=3, max_latency=2.0)
    async with Service(world) as service:
        await filled(service, 40)
        for number in range(40):
            world.replica.preset(item(number, "17"))
        puts = world.replica.calls["put"]
        job = await service.verifications.start(await service.flow(), repair=True)
        await until(lambda: world.replica.calls["put"] > puts)
        for value in range(20):
            for number in range(40):
                world.source.put(item(number, str(value)))
            await asyncio.sleep(0.5)
        await service.ended(job.id)
        await service.until_caught_up()
    check_all(world)


async def test_a_repair_beside_late_changes_never_takes_the_replica_back():
    async with Service(World(timing=Timing(record_delay=(0.0, 3.0)), max_latency=0.05)) as service:
        await filled(service)
        damage(service.world)
        job = await service.verifications.start(await service.flow(), repair=True)
        for turn in range(60):
            service.world.source.put(item(turn % 4, str(turn)))
            await asyncio.sleep(0.2)
            service.world.source.delete(key((turn + 1) % 4))
        await service.ended(job.id)
        await service.until_caught_up()
        assert findings(await service.verify()) == {}
    check_never_back(service.world)
