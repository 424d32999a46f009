"""The judge itself: it sees an item go back, and takes a late write for no more than it is."""

from __future__ import annotations

import pytest

from tests.support.chaos.proxy_record import Digest, Witness
from tests.support.chaos.verdict import check_never_back, check_witness

GONE = None
SOURCE = [1, GONE, 2, 3, GONE]


def judge(states: list[Digest], late: set[int] | None = None) -> None:
    """The replica's states of one item; `late` are the places of those that late writes made."""
    check_never_back({"k": SOURCE}, {"k": states}, lambda key, place, state: key == "k" and place in (late or set()))


@pytest.mark.parametrize(
    "states", [[], [1, GONE, 2, 3, GONE], [1, 2], [1, 1, 3, 3], [GONE, 1], [GONE, GONE], [2, GONE]]
)
def test_some_of_the_sources_states_in_its_order_are_right(states: list[Digest]) -> None:
    judge(states)


@pytest.mark.parametrize("states", [[2, 1], [1, GONE, 2, 1], [3, GONE, 3], [1, GONE, 2, GONE, 3], [9], [1, 9, 2]])
def test_an_older_state_or_one_that_never_was_is_seen(states: list[Digest]) -> None:
    with pytest.raises(AssertionError, match="k: the replica's state"):
        judge(states)


@pytest.mark.parametrize(("states", "late"), [([2, 1, 2, 3], {1}), ([3, 2, 3], {1}), ([2, 3, GONE, 1, GONE], {3})])
def test_a_late_write_may_show_an_older_state(states: list[Digest], late: set[int]) -> None:
    judge(states, late)


def test_a_late_deletion_is_not_the_sources_next_one() -> None:
    """Taken for the last state of all, what mends it would look like a step back."""
    judge([2, GONE, 2, 3], {1})


def test_what_follows_a_late_write_is_judged_by_where_the_item_was_before_it() -> None:
    with pytest.raises(AssertionError):
        judge([3, 1, 2], {1})


def test_a_late_write_excuses_no_other_that_looks_alike() -> None:
    with pytest.raises(AssertionError):
        judge([2, 3, 1, 3, 1], {2})


def test_a_late_write_shows_nothing_that_never_was() -> None:
    with pytest.raises(AssertionError, match="never seen"):
        judge([1, 9], {1})


def seen_by(*written: tuple[str, bool]) -> Witness:
    """The source had a, then b; then writes of the replica took effect, late or not."""
    witness = Witness()
    for value in "ab":
        witness.saw_record("k", {"key": {"S": "k"}, "value": {"S": value}}, 0.0)
    for value, is_late in written:
        witness.took_effect("k", {"key": {"S": "k"}, "value": {"S": value}}, is_late=is_late)
    return witness


def test_a_late_write_is_excused_in_auto_and_nowhere_else() -> None:
    witness = seen_by(("b", False), ("a", True), ("b", False))
    check_witness(witness, may_land_late=True)
    with pytest.raises(AssertionError):
        check_witness(witness)


def test_a_write_that_was_not_late_is_not_excused_by_one_that_was() -> None:
    with pytest.raises(AssertionError):
        check_witness(seen_by(("b", False), ("a", True), ("b", False), ("a", False)), may_land_late=True)


def test_what_a_late_write_took_back_is_unapplied_until_it_is_mended() -> None:
    witness = seen_by(("b", False))
    assert witness.oldest_unapplied_at() is None
    witness.took_effect("k", {"key": {"S": "k"}, "value": {"S": "a"}}, is_late=True)
    assert witness.oldest_unapplied_at() is not None
    witness.took_effect("k", {"key": {"S": "k"}, "value": {"S": "b"}})
    assert witness.oldest_unapplied_at() is None


def test_a_record_that_the_stream_held_back_is_unapplied_from_when_it_could_be_seen() -> None:
    witness = seen_by()
    witness.held_back(["k"])
    at = witness.oldest_unapplied_at()
    assert at is not None
    assert at > 0.0


def test_a_replica_that_was_created_anew_begins_again_and_its_former_one_is_judged_too() -> None:
    witness = seen_by(("a", False), ("b", False))
    witness.replica_created_anew(0.0)
    assert witness.oldest_unapplied_at() is not None
    witness.took_effect("k", {"key": {"S": "k"}, "value": {"S": "a"}})
    check_witness(witness)
    went_back = seen_by(("b", False), ("a", False))
    went_back.replica_created_anew(0.0)
    with pytest.raises(AssertionError):
        check_witness(went_back)
