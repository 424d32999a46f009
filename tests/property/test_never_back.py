"""I3: whoever reads the replica never sees an item return to an earlier state, and never a deleted one come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import run_virtual
from tests.property.histories import CRASHES, OPERATIONS, RESHARDS, RIVALS, histories, settings_of, slow
from tests.property.stage import Stage


def play(setting, history, **options):
    async def scenario() -> None:
        stage = Stage(setting, **options)
        await stage.play(history)
        stage.judge().check_all()
        if setting.view_type.carries_item and setting.has_sequence:
            stage.judge().check_numbers()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(settings_of(), histories(RESHARDS))
def test_no_item_goes_back_while_requests_fail_and_answers_get_lost(setting, history):
    play(setting, history)


@slow()
@given(settings_of(), histories(RESHARDS, CRASHES, CRASHES, keys=2))
def test_no_item_goes_back_when_processes_crash_and_start_again(setting, history):
    play(setting, history)


@slow()
@given(settings_of(preset=st.integers(0, 4)), histories(OPERATIONS, ("snapshot",), keys=3))
def test_no_item_goes_back_while_snapshots_run_beside_the_stream(setting, history):
    play(setting, history)


@slow()
@given(settings_of(), histories(RESHARDS, CRASHES, OPERATIONS, RIVALS, keys=2))
def test_no_item_goes_back_whatever_happens(setting, history):
    play(setting, history)


@slow(3)
@given(settings_of(has_sequence=False), histories(CRASHES, OPERATIONS, keys=2))
def test_without_the_sequence_attribute_the_source_decides(setting, history):
    play(setting, history)
