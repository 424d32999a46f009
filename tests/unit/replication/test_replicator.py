"""The flow as a whole: it drains in order, is aborted at once, and says honestly how it ended (E76)."""

from __future__ import annotations

import asyncio
from zlib import crc32

import pytest

from service.errors import HaltError, LeaseLostError, first_of
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import Setting
from tests.support.workbench import item, key


async def running(**options: str) -> Stage:
    stage = Stage(Setting(1, writers=16, is_late=False), **options)
    await stage.open()
    await asyncio.sleep(3)
    return stage


def lease_of(stage: Stage):
    found = stage.operator.items.lease
    assert found is not None
    return found


def stuck(stage: Stage, name: str):
    """Let the replica not answer any more when this key is written; returns what ends that."""
    replica = stage.world.replica
    write_batch, put = replica.write_batch, replica.put
    is_free = asyncio.Event()

    async def slow_batch(writes):
        if any(write.key == key(name) for write in writes):
            await is_free.wait()
        return await write_batch(writes)

    async def slow_put(write, condition):
        if write.key == key(name):
            await is_free.wait()
        return await put(write, condition)

    replica.write_batch, replica.put = slow_batch, slow_put
    return is_free.set


def in_other_lanes(name: str, count: int) -> list[str]:
    lane = crc32(key(name)) % 16
    names = [f"k{number}" for number in range(100)]
    return [other for other in names if crc32(key(other)) % 16 != lane][:count]


async def test_a_stop_settles_and_saves_what_was_read_and_leaves_the_lease_clean_e76():
    stage = await running()
    for number in range(50):
        stage.world.source.put(item(f"k{number}", "1"))
    await asyncio.sleep(0.3)
    await stage.actors[0].stop()
    assert lease_of(stage).is_released
    assert lease_of(stage).is_clean
    (checkpoint,) = stage.operator.items.progress.checkpoints.values()
    written = [state.sequence for states in stage.world.source.history.values() for state in states if state.sequence]
    held = {number for number in written if number <= (checkpoint.position.after or 0)}
    assert len(held) == len(stage.world.replica.items)
    assert not stage.breaches


async def test_a_stop_that_leaves_a_hole_in_front_of_what_was_applied_is_not_clean_e76():
    stage = await running(shutdown_timeout_seconds="1")
    set_free = stuck(stage, "a")
    for name in ("a", *in_other_lanes("a", 5)):
        stage.world.source.put(item(name, "1"))
    await asyncio.sleep(3)
    assert len(stage.world.replica.items) == 5
    await stage.actors[0].stop()
    assert lease_of(stage).is_released
    assert not lease_of(stage).is_clean
    set_free()
    stage.enter()
    await stage.close()
    stage.judge().check_all()


async def test_a_second_stop_does_not_wait_and_costs_nothing_e76():
    stage = await running(shutdown_timeout_seconds="600")
    set_free = stuck(stage, "a")
    stage.world.source.put(item("a", "1"))
    await asyncio.sleep(2)
    actor, start = stage.actors[0], asyncio.get_running_loop().time()
    actor.pipeline.stop()
    await asyncio.sleep(5)
    assert not actor.task.done()
    await actor.stop()
    assert asyncio.get_running_loop().time() - start < 10
    set_free()
    stage.enter()
    await stage.close()
    stage.judge().check_all()


async def test_a_flow_that_lost_its_lease_saves_nothing_more_e63():
    stage = await running(lease_seconds="10")
    actor = stage.actors[0]
    saved = stage.operator.items.progress
    later = await stage.operator.acquire_lease("another", lease_of(stage), 10, stage.world.clock.now())
    stage.world.source.put(item("a", "1"))
    await asyncio.sleep(5)
    assert actor.pipeline.replicator is None
    assert actor.pipeline.state == "standby"
    assert lease_of(stage).generation == later.generation
    written = [what for name, what in stage.world.control.writes if name == "save_progress"]
    await asyncio.sleep(2)
    assert [what for name, what in stage.world.control.writes if name == "save_progress"] == written
    assert saved is not None
    await stage.close()
    stage.judge().check_all()


@pytest.mark.parametrize("lost", [LeaseLostError("lost"), HaltError("halt")])
def test_of_several_errors_the_one_that_counts_is_told(lost):
    group = BaseExceptionGroup("tasks", [ValueError("x"), BaseExceptionGroup("inner", [lost])])
    assert first_of(group) is lost


def test_a_lost_lease_counts_before_a_halt():
    lost = LeaseLostError("lost")
    assert first_of(BaseExceptionGroup("tasks", [HaltError("halt"), lost])) is lost
