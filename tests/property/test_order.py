"""I1: for each key, writes reach the replica in the stream's order, across shards that roll and split while read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, RESHARDS, histories, settings_of, slow


def play(setting, history):
    async def scenario() -> None:
        stage = Stage(setting)
        await stage.play(history)
        stage.judge().check_one_in_flight()
        stage.judge().check_never_back()
        stage.judge().check_equal()
        if setting.view_type.carries_item:
            stage.judge().check_numbers()

    run_virtual(scenario, seed=setting.seed)


@slow(1)
@given(
    settings_of(start_at="trim_horizon", write_mode="auto", has_faults=False, preset=0),
    histories(RESHARDS, RESHARDS, keys=3),
)
def test_a_key_keeps_its_order_from_parents_to_children_that_are_seen_late(setting, history):
    play(setting, history)


@slow()
@given(settings_of(start_at="latest", has_faults=False, is_late=st.booleans()), histories(RESHARDS, keys=3))
def test_a_key_keeps_its_order_after_a_start_at_the_tip(setting, history):
    play(setting, history)


@slow()
@given(settings_of(has_faults=True), histories(RESHARDS, ("pause", "resume"), CRASHES, keys=3))
def test_a_key_keeps_its_order_through_retries_pauses_and_restarts(setting, history):
    play(setting, history)
