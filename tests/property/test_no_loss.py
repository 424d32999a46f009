"""I2: nothing is lost, whenever a process dies; a checkpoint never passes what has not reached the replica.

The stage judges every checkpoint at the moment it is saved.
"""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Moment, Rates
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, RESHARDS, RIVALS, histories, settings_of, slow

crashes = st.lists(st.tuples(st.integers(1, 120), st.sampled_from(Moment)), min_size=1, max_size=4)


@slow(1)
@given(settings_of(has_faults=False), histories(RESHARDS, max_size=40), crashes)
def test_a_crash_at_any_call_before_or_after_its_effect_loses_nothing(setting, history, crashes):
    async def scenario() -> None:
        stage = Stage(setting)
        left = list(crashes)
        actor = await stage.open()
        for step in history:
            if left and (actor.process.is_dead or actor is stage.actors[0]):
                actor = actor if actor.is_alive else stage.enter()
                actor.crash_in(*left.pop())
            await stage.perform(step)
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(settings_of(), histories(CRASHES, CRASHES, RESHARDS, keys=6))
def test_no_kill_and_no_restart_loses_anything(setting, history):
    async def scenario() -> None:
        stage = Stage(setting)
        await stage.play(history)
        stage.judge().check_equal()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(settings_of(), histories(CRASHES, RESHARDS, keys=6), st.floats(0.05, 0.4))
def test_lists_that_leave_shards_out_lose_nothing_and_turn_nothing_round(setting, history, left_out):
    async def scenario() -> None:
        stage = Stage(setting)
        await stage.open()
        stage.world.source.stream.timing.left_out = left_out
        for step in history:
            await stage.perform(step)
        stage.world.source.stream.timing.left_out = 0.0
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(settings_of(), histories(RIVALS, RIVALS, RESHARDS, keys=6))
def test_a_process_that_lost_its_lease_loses_nothing_and_passes_nothing(setting, history):
    async def scenario() -> None:
        stage = Stage(setting)
        await stage.play(history)
        stage.judge().check_equal()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(
    settings_of(has_faults=False, is_late=False),
    histories(RESHARDS, min_size=30, keys=12),
    st.floats(0.0, 20.0),
)
def test_whatever_was_saved_when_a_process_is_killed_the_rest_is_read_again(setting, history, seconds):
    async def scenario() -> None:
        stage = Stage(setting, writers="2", queue_max_records="7", checkpoint_interval_seconds="0.1")
        actor = await stage.open()
        asyncio.get_running_loop().call_later(seconds, actor.kill)
        for step in history:
            await stage.perform(step)
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(settings_of(writers=1, has_faults=False, start_at="trim_horizon"), histories(keys=9, min_size=20))
def test_what_a_batch_leaves_unprocessed_is_written_in_the_end(setting, history):
    async def scenario() -> None:
        stage = Stage(setting, plan=FaultPlan(setting.seed, {"replica": Rates(unprocessed=0.7)}))
        await stage.play(history)
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)
