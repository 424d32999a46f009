"""I3: whoever reads the replica never sees an item return to an earlier state, and never a deleted one come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.model import ViewType
from tests.fakes.clock import run_virtual
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import CRASHES, OPERATIONS, RESHARDS, RIVALS, histories, settings_of, slow


def play(setting, history, *, scan_seconds=0.0, **options):
    async def scenario() -> None:
        stage = Stage(setting, **options)
        stage.world.source.scan_seconds = scan_seconds
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


@slow(1)
@given(
    settings_of(start_at="snapshot", preset=st.integers(1, 6), is_late=st.booleans()),
    histories(("snapshot",), keys=3, contents=4, min_size=20),
    st.sampled_from([0.3, 1.0]),
)
def test_no_item_goes_back_while_a_slow_scan_is_overtaken_by_the_stream(setting, history, max_latency):
    """What a page brings may be older, or newer, than what the stream is about to bring (E66)."""
    play(setting, history, max_latency=max_latency)


@slow(6)
@given(
    settings_of(start_at="snapshot", preset=st.integers(3, 6), has_faults=False, is_late=False),
    histories(("delete", "delete", "snapshot"), keys=4, min_size=20),
)
def test_no_item_goes_back_while_pages_are_seconds_on_their_way(setting, history):
    """What was deleted meanwhile, and settled long before the page arrives, stays deleted (E66)."""
    play(setting, history, scan_seconds=3.0)


@slow(1)
@given(
    settings_of(start_at="trim_horizon", view_type=ViewType.NEW_AND_OLD_IMAGES, has_faults=False, is_late=False),
    histories(("delete", "delete", "crash", "crash"), keys=1, contents=2, min_size=15),
)
def test_no_item_goes_back_when_a_content_comes_again_and_much_is_repeated(setting, history):
    """A, B, deleted, A again: by its content alone, the first A can't be told from the last."""
    play(setting, history, checkpoint_interval_seconds="60")
