"""The clock is AWS's: a machine whose own is minutes, hours or a day off keeps the invariants (I2, I3, I5, I8)."""

from __future__ import annotations

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.support.histories.one_writer import check_one_writer
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, RIVALS, Setting, histories, settings_of, slow

off = st.one_of(st.floats(-300, 300), st.floats(-90_000, 90_000))


@slow(1)
@given(settings_of(has_faults=False), histories(RIVALS, RIVALS, CRASHES, min_size=15), st.tuples(off, off, off))
def test_processes_whose_clocks_are_off_never_write_interleaved_and_never_take_anything_back(setting, history, skews):
    async def scenario() -> None:
        stage = Stage(setting, skews=skews)
        stage.world.dates_answers = True
        await stage.open()
        stage.enter()
        for step in history:
            await stage.perform(step)
        await stage.close()
        check_one_writer(stage)
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(st.integers(0, 2**32 - 1), off)
@example(1, -120.0)
@example(1, 150.0)
def test_the_guard_of_a_new_owner_covers_all_that_a_killed_one_may_have_written(seed, skew):
    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False), skews=(skew,))
        stage.world.dates_answers = True
        actor = await stage.open()
        await asyncio.sleep(30)
        killed_at = stage.world.clock.now()
        await stage.perform(("kill",))
        stage.enter()
        actor = stage.actors[-1]
        await asyncio.sleep(40)
        assert actor.pipeline.replicator is not None
        window = actor.pipeline.replicator.window
        assert window.until >= killed_at
        assert window.until <= killed_at + 120
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), off)
@example(1, 150.0)
@example(1, -120.0)
def test_lag_is_told_by_the_clock_that_dates_the_changes(seed, skew):
    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False), skews=(skew,))
        stage.world.dates_answers = True
        actor = await stage.open()
        await asyncio.sleep(5)
        now = stage.world.clock.now()
        stage.world.plan.outage("replica", now, now + 30)
        stage.world.source.put({"key": {"S": "a"}, "value": {"N": "1"}})
        await asyncio.sleep(20)
        lag = actor.report.status().lag
        assert lag.seconds is not None
        assert 17 <= lag.seconds <= 24
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)
