"""DYNAMIRROR_ON_GAP=snapshot: whenever history is lost, the tables are equal in the end, and not caught up before."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.fakes.faults import FaultPlan, Rates
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import (
    CRASHES,
    EXPIRIES,
    LOSSES,
    OPERATIONS,
    RESHARDS,
    Step,
    histories,
    settings_of,
    slow,
)

MOST_LOSSES = 4
"""Five heals within an hour are too many (MAX_HEALS), and a loss may be found in two steps."""
NOTICED_WITHIN_SECONDS = 20.0
"""Records, and another replica (a look every 10 s), are noticed by then."""
STARTS = st.sampled_from(["snapshot", "latest"])
"""What is trimmed before a start at the trim horizon has read it is no loss: it reads what is there."""
RESTLESS = [Rates(), Rates.wild(), Rates(late=0.2)]


def few_losses(history: list[Step]) -> list[Step]:
    losses: Counter[bool] = Counter()
    kept = []
    for step in history:
        is_loss = step[0] in LOSSES
        losses[is_loss] += 1
        if not is_loss or losses[True] <= MOST_LOSSES:
            kept.append(step)
    return kept


async def watch(stage: Stage) -> None:
    """Nobody says "caught up" of tables that differ, once there was time to notice."""
    while True:
        await asyncio.sleep(0.5)
        since = asyncio.get_running_loop().time() - max(stage.changed_at, stage.world.plan.last_late_at)
        if since > NOTICED_WITHIN_SECONDS and any(actor.is_alive and _claims(actor) for actor in stage.actors):
            stage.judge().check_equal()


def _claims(actor) -> bool:
    return actor.report.status().lag.caught_up


@slow()
@given(
    settings_of(is_late=False, has_faults=False, preset=6, start_at=STARTS),
    histories(LOSSES, CRASHES, RESHARDS, OPERATIONS, ("rest",), keys=8, max_size=40),
    st.sampled_from(RESTLESS),
)
def test_whatever_is_lost_is_healed_and_until_then_nothing_is_caught_up(setting, history, rates):
    async def scenario() -> None:
        plan = FaultPlan(setting.seed, {"replica": rates, "control": Rates(ambiguous=rates.ambiguous)}, budget=200)
        stage = Stage(setting, plan=plan, on_gap="snapshot", lease_seconds="5")
        await stage.open()
        stage.world.source.page_bytes, stage.world.source.scan_seconds = 60, stage.random.choice([0.0, 0.3, 2.0, 30.0])
        watching = asyncio.create_task(watch(stage))
        for step in few_losses(history):
            await stage.perform(step)
            assert not watching.done(), watching.result()
        plan.rates = {}
        await stage.until_caught_up()
        await stage.close()
        assert not watching.done(), watching.result()
        watching.cancel()
        stage.judge().check_equal()
        await check_healed(stage)

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(
    settings_of(is_late=False, has_faults=False, preset=6, start_at=STARTS),
    histories(LOSSES, EXPIRIES, CRASHES, OPERATIONS, ("rest",), keys=8, max_size=40),
    st.sampled_from(RESTLESS[:2]),
)
def test_no_heal_takes_anything_from_an_archive_that_nobody_has_removed(setting, history, rates):
    async def scenario() -> None:
        plan = FaultPlan(setting.seed, {"replica": rates}, budget=200)
        stage = Stage(setting, plan=plan, on_gap="snapshot", lease_seconds="5", skip_ttl_deletes="true")
        await stage.open()
        for step in few_losses(history):
            await stage.perform(step)
        plan.rates = {}
        await stage.until_caught_up()
        await stage.close()
        await check_healed(stage)
        lacking = stage.world.replica.items.keys() - stage.world.source.items.keys()
        stage.judge().check_equal(but=lacking)
        check_nothing_removed_unasked(stage)

    run_virtual(scenario, seed=setting.seed)


def check_nothing_removed_unasked(stage: Stage) -> None:
    """Nobody took a key's item from the replica more often than somebody removed it at the source."""
    for key, states in stage.world.replica.history.items():
        removals = sum(
            before.image is not None and now.image is None and not now.is_foreign
            for before, now in itertools.pairwise(states)
        )
        gone = sum(state.image is None and state.sequence is not None for state in stage.world.source.history[key])
        assert removals <= gone - stage.expired[key], f"{key!r} was removed unasked"


async def check_healed(stage: Stage) -> None:
    """No job is left behind, and nothing is to be mended any more."""
    saved = await stage.operator.read_progress()
    assert saved is not None
    assert (saved.needs_snapshot, saved.snapshot_id, saved.gaps) == (False, None, ())
    slot = await stage.operator.read_slot("snapshot")
    assert slot is not None
    assert slot.job_id is None
