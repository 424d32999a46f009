"""I5: at most one process writes for a pipeline; another takes over by itself, and the former writes nothing more."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.support.histories.one_writer import check_one_writer
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, RIVALS, Setting, histories, settings_of, slow

# Up to a minute apart: what the guard's margin allows for where no answer has told the time (guard_window).
skews = st.tuples(*[st.floats(-25, 25)] * 3)


@slow(1)
@given(settings_of(has_faults=False), histories(RIVALS, RIVALS, CRASHES, min_size=15), skews)
def test_two_processes_never_write_interleaved_whatever_their_clocks_show(setting, history, skews):
    async def scenario() -> None:
        stage = Stage(setting, skews=skews)
        await stage.open()
        stage.enter()
        for step in history:
            await stage.perform(step)
        await stage.close()
        check_one_writer(stage)
        stage.judge().check_all()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(st.integers(0, 2**32 - 1), skews, st.sampled_from(["cut", "freeze", "kill"]), st.floats(0.5, 6.0))
def test_when_the_active_process_is_gone_another_takes_over_within_two_lease_times(seed, skews, how, after):
    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False), skews=skews, lease_seconds="10")
        first = await stage.open()
        await asyncio.sleep(after)
        second = stage.enter()
        await asyncio.sleep(3)
        assert first.pipeline.holder.lease is not None
        assert second.pipeline.holder.lease is None
        await stage.perform((how, *([60.0] if how != "kill" else [])))
        for number in range(40):
            stage.world.source.put({"key": {"S": f"k{number % 3}"}, "value": {"N": str(number)}})
            await asyncio.sleep(0.5)
        assert second.pipeline.holder.lease is not None
        assert second.pipeline.replicator is not None
        await asyncio.sleep(60)  # the first one sees the world again
        assert how == "kill" or first.pipeline.holder.lease is None
        await stage.close()
        check_one_writer(stage)
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), st.integers(1, 16))
def test_a_process_that_can_not_renew_writes_nothing_after_its_trust_ended(seed, writers):
    """E63: trust ends at three quarters of the lease; nobody else is needed to stop it."""

    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False, writers=writers), lease_seconds="8")
        await stage.open()
        await asyncio.sleep(2)
        start = asyncio.get_running_loop().time()
        await stage.perform(("cut", 100.0))
        for number in range(200):
            stage.world.source.put({"key": {"S": f"k{number % 5}"}, "value": {"N": str(number)}})
            await asyncio.sleep(0.1)
        last = max(end for _, _, end in stage.writes)
        assert start < last < start + 8
        await asyncio.sleep(100)
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)
