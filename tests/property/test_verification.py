"""I3, E71, E72: a verification finds what was damaged, and nothing that is on its way, and mends exactly that."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.errors import AmbiguousError, ThrottledError
from service.operations.documents.jobs import Verification
from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Moment, Rates
from tests.fakes.images import STRING_KEY, key_of
from tests.fakes.service import Service, until
from tests.fakes.stream import Timing
from tests.fakes.world import World
from tests.support.histories.random_histories import slow
from tests.support.invariants import check_all

QUIET = 12
"""Keys that nobody writes meanwhile: what is damaged there stays damaged."""
SETTLED_SECONDS = 20.0
"""Longer than any record, child or ending of Timing.wild() is late."""

seeds = st.integers(0, 2**32 - 1)
histories = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "delete", "roll", "split"]),
        st.integers(0, 3),
        st.integers(0, 1),
        st.sampled_from([0.0, 0.05, 0.3, 1.0, 3.0]),
    ),
    min_size=10,
    max_size=80,
)
damages = st.dictionaries(st.integers(0, QUIET - 1), st.sampled_from(["missing", "extra", "changed", "retyped"]))


def item(name: str, value: str = "1") -> dict[str, Any]:
    return {"key": {"S": name}, "value": {"N": value}}


def new_world(seed: int, *, has_faults: bool) -> World:
    wild = dict.fromkeys(("streams", "source", "replica", "control"), Rates.wild())
    plan = FaultPlan(seed, wild if has_faults else {})
    world = World(seed, shards=2, timing=Timing.wild(), plan=plan, max_latency=0.05)
    world.source.page_bytes = world.replica.page_bytes = 150
    return world


async def write(world: World, history: list[tuple[str, int, int, float]]) -> None:
    """Few keys and two contents, so that a content often comes back."""
    for kind, key, value, wait in history:
        await asyncio.sleep(wait)
        if kind == "put":
            world.source.put(item(f"busy{key}", str(value)))
        elif kind == "delete":
            world.source.delete({"key": {"S": f"busy{key}"}})
        else:
            shards = world.source.stream.open_shards
            shard_id = shards[key % len(shards)].shard_id
            if kind == "split" and len(shards) < 6:
                world.source.stream.split(shard_id)
            else:
                world.source.stream.roll(shard_id)


def damage(world: World, chosen: dict[int, str]) -> dict[str, str]:
    """Returns what a verification ought to find."""
    found = {}
    for number, way in chosen.items():
        name = f"quiet{number}"
        if way == "missing":
            world.replica.lose({"key": {"S": name}})
        elif way == "extra":
            name = f"stranger{number}"
            world.replica.preset(item(name))
        elif way == "changed":
            world.replica.preset(item(name, "2"))
        else:
            world.replica.preset({"key": {"S": name}, "value": {"S": "1"}})
        found[name] = way if way in ("missing", "extra") else "different"
    return found


async def filled(service: Service) -> None:
    await service.flow()
    for number in range(QUIET):
        service.world.source.put(item(f"quiet{number}"))
    await until(lambda: len(service.world.replica.items) == QUIET)


def differing(job: Verification) -> dict[str, str]:
    assert len(job.differing_keys) == job.missing + job.extra + job.different
    return {shown["key"]["key"]["S"]: shown["kind"] for shown in job.differing_keys}


def strange(job: Verification, world: World, before: dict[Any, int]) -> set[str]:
    """Keys nobody streams that were written since, although they did not differ."""
    written = {key for key, count in world.replica.writes.items() if count != before.get(key, 0)}
    return {key.decode() for key in written if b"busy" not in key} - {
        f'{{"key":{{"S":"{name}"}}}}' for name in differing(job)
    }


async def settled(service: Service) -> None:
    await asyncio.sleep(SETTLED_SECONDS)
    await service.until_caught_up()


@slow()
@given(seeds, histories, st.booleans(), st.booleans())
def test_nothing_that_is_on_its_way_is_a_difference(seed, history, has_faults, repairs):
    async def scenario() -> None:
        world = new_world(seed, has_faults=has_faults)
        async with Service(world, start_at="trim_horizon") as service:
            await filled(service)
            writing = asyncio.create_task(write(world, history))
            while not writing.done():
                assert differing(await service.verify(repair=repairs)) == {}
                await asyncio.sleep(random.random() * 3)
            await writing
            await settled(service)
        check_all(world)

    run_virtual(scenario, seed=seed)


@slow()
@given(seeds, histories, damages, st.booleans())
def test_exactly_the_damage_is_found_and_mended_while_others_write(seed, history, chosen, has_faults):
    async def scenario() -> None:
        world = new_world(seed, has_faults=has_faults)
        async with Service(world, start_at="trim_horizon") as service:
            await filled(service)
            writing = asyncio.create_task(write(world, history))
            await asyncio.sleep(random.random() * 5)
            # Damage of a key in doubt is mended without a verification.
            doubts = (await service.flow()).doubts
            certain = {at: how for at, how in chosen.items() if key_of(item(f"quiet{at}"), STRING_KEY) not in doubts}
            expected = damage(world, certain)
            assert differing(await service.verify()) == expected
            before = dict(world.replica.writes)
            mended = await service.verify(repair=True)
            assert differing(mended) == expected
            assert mended.repaired == len(expected)
            assert not strange(mended, world, before)
            assert differing(await service.verify()) == {}
            await writing
            await settled(service)
        check_all(world)

    run_virtual(scenario, seed=seed)


@slow()
@given(seeds, histories, st.booleans(), st.booleans())
def test_a_repair_of_what_is_written_all_the_time_never_goes_back(seed, history, has_faults, is_slow):
    async def scenario() -> None:
        world = new_world(seed, has_faults=has_faults)
        async with Service(world, start_at="trim_horizon") as service:
            await filled(service)
            writing = [asyncio.create_task(write(world, history)), asyncio.create_task(tamper(world, len(history)))]
            if is_slow:
                world.plan.fail_next("replica.put", AmbiguousError("lost"), moment=Moment.AFTER, times=3)
                world.plan.fail_next("replica.put", ThrottledError("slow down"), times=60)
            while not all(task.done() for task in writing):
                await service.verify(repair=True)
            await settled(service)
            await service.verify(repair=True)
            assert differing(await service.verify()) == {}
        check_all(world)

    run_virtual(scenario, seed=seed)


async def tamper(world: World, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(random.random() * 4)
        key = f"busy{random.randrange(4)}"
        if random.random() < 0.5:
            world.replica.lose({"key": {"S": key}})
        else:
            world.replica.preset(item(key, "7"))


@slow()
@given(seeds, histories, damages, st.floats(0.0, 20.0))
def test_a_repair_survives_a_crash_at_any_moment(seed, history, chosen, dies_after):
    async def scenario() -> None:
        world = new_world(seed, has_faults=False)
        service = await Service(world, start_at="trim_horizon").open()
        await filled(service)
        writing = asyncio.create_task(write(world, history))
        expected = damage(world, chosen)
        job = await service.verifications.start(await service.flow(), repair=True)
        await asyncio.sleep(dies_after)
        await service.die()
        async with Service(world) as second:
            await second.flow()
            ended = await second.ended(job.id)
            found = differing(ended)
            assert found.items() <= expected.items(), "what was mended before its page was saved is not found again"
            assert ended.missing + ended.extra + ended.different == ended.repaired
            assert ended.items_compared <= QUIET + 4 + len(expected)
            assert differing(await second.verify()) == {}
            await writing
            await settled(second)
        check_all(world)

    run_virtual(scenario, seed=seed)
