"""I3: a request that was given up may take effect after a newer change. What it took back is mended by itself."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Rates
from tests.support.histories.player import Stage, item
from tests.support.histories.random_histories import CRASHES, Setting, histories, slow

EQUAL_WITHIN_SECONDS = 15.0
"""After the last late write; the contract of the pipeline with its users."""


def plan_of(seed: int, late: float) -> FaultPlan:
    return FaultPlan(seed, {"replica": Rates(late=late)}, budget=100_000)


def setting(seed: int, mode: str, writers: int = 4) -> Setting:
    return Setting(seed=seed, write_mode=mode, writers=writers, start_at="trim_horizon", is_late=False)


async def close(stage: Stage) -> None:
    """A late write makes it look as if a checkpoint had passed a change that never reached the replica."""
    await stage.until_caught_up()
    stage.breaches.clear()
    await stage.close()


async def until_the_last_late_write(stage: Stage) -> None:
    """Nothing is cut any more, and what was cut has taken effect."""
    stage.world.plan.rates = {}
    await asyncio.sleep(1)
    while stage.world.plan.late_writes:  # noqa: ASYNC110  virtual time: nobody waits
        await asyncio.sleep(0.1)


async def play(stage: Stage, history: list[tuple]) -> None:
    await stage.open()
    for step in history:
        await stage.perform(step)
    await until_the_last_late_write(stage)
    stage.revive()


@slow()
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 16]), histories(keys=3, contents=5, min_size=20))
def test_in_auto_what_went_back_is_mended_within_seconds_without_anybody_asking(seed, writers, history):
    async def scenario() -> None:
        stage = Stage(setting(seed, "auto", writers), plan=plan_of(seed, 1 / 5))
        await play(stage, history)
        await asyncio.sleep(EQUAL_WITHIN_SECONDS)
        stage.judge().check_equal()
        await close(stage)
        stage.judge().check_equal()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), histories(CRASHES, keys=2, contents=5, min_size=20))
def test_in_auto_what_went_back_is_mended_although_processes_crash(seed, history):
    async def scenario() -> None:
        stage = Stage(setting(seed, "auto"), plan=plan_of(seed, 1 / 5))
        await play(stage, history)
        await close(stage)
        stage.judge().check_equal()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), histories(keys=2, contents=5, min_size=20))
def test_in_strict_no_older_state_ever_shows(seed, history):
    async def scenario() -> None:
        stage = Stage(setting(seed, "strict"), plan=plan_of(seed, 1 / 5))
        await play(stage, history)
        await close(stage)
        stage.judge().check_never_back()
        stage.judge().check_equal()

    run_virtual(scenario, seed=seed)


def test_while_a_key_is_in_doubt_the_pipeline_is_not_caught_up_and_later_it_is():
    async def scenario() -> None:
        plan = plan_of(7, 0.0)
        stage = Stage(setting(7, "auto"), plan=plan)
        actor = await stage.open()
        await stage.until_caught_up()
        plan.rates = {"replica": Rates(late=1.0)}
        await stage.perform(("put", 1, 1))
        await asyncio.sleep(2)
        plan.rates = {}
        await asyncio.sleep(20)
        shown = actor.report.status().lag
        assert (shown.keys_in_doubt, shown.caught_up, shown.unapplied_records) == (1, False, 0)
        assert shown.seconds
        await asyncio.sleep(60)
        shown = actor.report.status().lag
        assert (shown.keys_in_doubt, shown.caught_up) == (0, True)
        await stage.close()

    run_virtual(scenario, seed=7)


def test_a_stop_with_keys_in_doubt_is_not_clean_and_the_next_owner_looks_again():
    async def scenario() -> None:
        plan = plan_of(3, 0.0)
        stage = Stage(setting(3, "auto"), plan=plan)
        first = await stage.open()
        await stage.until_caught_up()
        plan.rates = {"replica": Rates(late=1.0)}
        await stage.perform(("put", 1, 1))
        await asyncio.sleep(2)
        plan.rates = {}
        await asyncio.sleep(1)
        await stage.perform(("put", 1, 2))
        await asyncio.sleep(1)
        await first.stop()
        lease = await stage.operator.read_lease()
        assert lease is not None
        assert lease.is_released
        assert not lease.is_clean
        # A write of the former process takes effect only now.
        stage.world.replica.preset(item(1, 1))
        stage.enter()
        await asyncio.sleep(EQUAL_WITHIN_SECONDS)
        stage.judge().check_equal()
        await stage.close()

    run_virtual(scenario, seed=3)
