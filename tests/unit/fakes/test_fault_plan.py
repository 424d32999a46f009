"""Faults happen when they are asked for, a crash leaves the world as it is, and a seed says it all."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import (
    AmbiguousError,
    IteratorExpiredError,
    LeaseLostError,
    RefusedError,
    RetryableError,
    ThrottledError,
)
from service.model import Position, Put
from tests.fakes.faults import Crash, FaultPlan, Moment, Rates
from tests.fakes.images import image_of, key_of
from tests.fakes.world import World


def put(key):
    item = {"key": {"S": key}}
    return Put(key_of(item), image_of(item))


async def test_a_scripted_fault_comes_before_or_after_the_effect():
    world = World()
    replica = world.process().replica
    world.plan.fail_next("replica.put", ThrottledError("slow down"))
    world.plan.fail_next("replica.put", AmbiguousError("lost"), moment=Moment.AFTER)

    with pytest.raises(ThrottledError):
        await replica.put(put("a"), None)
    assert world.replica.items == {}
    with pytest.raises(AmbiguousError):
        await replica.put(put("a"), None)
    assert world.replica.items.keys() == {put("a").key}


async def test_a_batch_may_fail_in_its_middle():
    parts = set()
    for seed in range(20):
        world = World(seed)
        world.plan.fail_next("replica.write_batch", AmbiguousError("lost"), moment=Moment.MIDDLE)
        with pytest.raises(AmbiguousError):
            await world.process().replica.write_batch([put("a"), put("b"), put("c")])
        parts.add(len(world.replica.items))

    assert parts == {0, 1, 2, 3}


async def test_an_outage_refuses_every_call_of_one_port_for_its_time():
    world = World()
    process = world.process()
    world.plan.outage("replica", world.clock.now() + 10, world.clock.now() + 20)

    await process.replica.put(put("a"), None)
    await world.clock.sleep(10)
    with pytest.raises(RefusedError):
        await process.replica.get(put("a").key)
    await process.source.describe()
    await world.clock.sleep(10)
    assert await process.replica.get(put("a").key) is not None


async def test_random_faults_end_when_their_budget_is_spent():
    world = World(plan=FaultPlan(1, {"replica": Rates(throttled=1.0)}, budget=3))
    replica = world.process().replica

    for _ in range(3):
        with pytest.raises(ThrottledError):
            await replica.put(put("a"), None)
    await replica.put(put("a"), None)

    assert world.plan.seen == {"replica.put ThrottledError": 3}


async def test_some_writes_of_a_batch_are_handed_back_at_random_but_never_all():
    world = World(plan=FaultPlan(1, {"replica": Rates(unprocessed=1.0)}))
    writes = [put(name) for name in "abcd"]

    left = await world.process().replica.write_batch(writes)

    assert 0 < len(left) < 4
    assert world.replica.items.keys() == {write.key for write in writes} - set(left)


async def test_only_reads_of_the_stream_find_their_iterator_expired():
    world = World(plan=FaultPlan(1, {"streams": Rates(expired=1.0)}))
    streams = world.process().streams
    shard_id = (await streams.describe()).shards[0].shard_id
    iterator = await streams.iterator(shard_id, Position())

    with pytest.raises(IteratorExpiredError):
        await streams.read(shard_id, iterator, 10)


@pytest.mark.parametrize(("moment", "survives"), [(Moment.BEFORE, False), (Moment.AFTER, True)])
async def test_a_crash_kills_the_process_and_leaves_the_world(moment, survives):
    world = World()
    process = world.process()
    process.crash_at(2, moment)
    await process.replica.describe()

    with pytest.raises(Crash):
        await process.replica.put(put("a"), None)
    with pytest.raises(Crash):
        await process.source.describe()
    with pytest.raises(Crash):
        await process.control.read_lease()
    with pytest.raises(Crash):
        await process.clock.sleep(1)

    assert (await world.process().replica.get(put("a").key) is not None) == survives


async def test_a_crash_happens_even_where_the_call_itself_fails():
    world = World()
    world.replica.is_missing = True
    process = world.process()
    process.crash_at(1, Moment.AFTER)

    with pytest.raises(Crash):
        await process.replica.describe()
    assert process.is_dead


async def test_a_crash_in_one_task_ends_the_whole_process():
    world = World(max_latency=1.0)
    process = world.process()
    process.crash_at(20)

    async def write_forever(name):
        while True:
            await process.replica.put(put(name), None)

    async def work():
        async with asyncio.TaskGroup() as tasks:
            for name in "abc":
                tasks.create_task(write_forever(name))

    assert not await process.live(work())
    assert process.is_dead


async def test_a_process_is_killed_when_its_time_is_over():
    world = World()
    process = world.process()

    assert not await process.live(process.clock.sleep(1000), seconds=10)
    assert await world.process().live(world.clock.sleep(1), seconds=10)


async def test_an_error_of_the_work_is_not_taken_for_a_crash():
    async def work():
        raise LeaseLostError

    with pytest.raises(LeaseLostError):
        await World().process().live(work())


async def test_a_calls_name_that_does_not_exist_is_an_error():
    with pytest.raises(AttributeError):
        await World().process().replica.fetch()  # type: ignore[attr-defined]  # that is the point


async def test_the_same_seed_makes_the_same_faults():
    async def run(seed):
        world = World(seed, plan=FaultPlan(seed, {"replica": Rates.wild()}), max_latency=0.1)
        replica = world.process().replica
        seen: list[object] = []
        for number in range(50):
            try:
                seen.append(await replica.put(put(str(number)), None))
            except RetryableError as error:
                seen.append(repr(error))
        return seen

    assert await run(4) == await run(4)
    assert await run(4) != await run(5)
