"""A checkpoint is the end of the unbroken run of settled changes, and nothing further (I2)."""

from __future__ import annotations

from service.model import Position, SequenceNumber
from service.replication.progress.progress import Progress
from tests.support.workbench import SHARD, change


def started(released: list[tuple[int, int]] | None = None) -> Progress:
    progress = Progress() if released is None else Progress(lambda records, size: released.append((records, size)))
    progress.start(SHARD, None, Position())
    return progress


def after(progress: Progress) -> SequenceNumber | None:
    return progress.checkpoints()[SHARD].position.after


def test_changes_that_settle_out_of_order_never_move_the_checkpoint_past_a_hole_e54():
    progress = started()
    first, second, third = changes = [change("a", number) for number in (1, 2, 3)]
    progress.admit(SHARD, changes)
    progress.settle([second, third])
    assert after(progress) is None
    progress.settle([first])
    assert after(progress) == 3


def test_what_was_only_read_is_not_behind_the_checkpoint_e54():
    progress = started()
    progress.admit(SHARD, [change("a", 1), change("a", 2)])
    assert after(progress) is None
    assert progress.shards[SHARD].read_through == 2
    assert progress.unsettled == 2


def test_a_checkpoint_passes_what_can_not_be_understood_and_no_change_before_it():
    progress = started()
    first = change("a", 1)
    progress.admit(SHARD, [first, change("b", 3)], [SequenceNumber(2), SequenceNumber(4)])
    assert after(progress) is None
    progress.settle([first])
    assert after(progress) == 2
    progress.settle([change("b", 3)])
    assert after(progress) == 4
    progress.admit(SHARD, [], [SequenceNumber(5)])
    assert progress.checkpoints()[SHARD].position == Position(after=SequenceNumber(5))
    assert progress.unsettled == 0


def test_numbers_of_different_lengths_are_ordered_as_numbers_e28():
    progress = started()
    small, great = change("a", 10**21 - 1), change("a", 10**21)
    progress.admit(SHARD, [small, great])
    progress.settle([small])
    assert after(progress) == 10**21 - 1
    progress.settle([great])
    assert after(progress) == 10**21


def test_a_shard_is_closed_only_when_it_ended_and_everything_of_it_is_settled_e56():
    progress = started()
    only = change("a", 1)
    progress.admit(SHARD, [only])
    progress.end(SHARD)
    assert not progress.checkpoints()[SHARD].is_closed
    progress.settle([only])
    assert progress.checkpoints()[SHARD].is_closed


def test_a_shard_that_may_bring_more_is_not_closed_e56():
    progress = started()
    assert not progress.checkpoints()[SHARD].is_closed


def test_the_oldest_unsettled_change_is_the_first_of_the_rest():
    progress = started()
    changes = [change("a", number, created_at=float(number)) for number in (1, 2, 3)]
    progress.admit(SHARD, changes)
    progress.settle(changes[:1])
    assert progress.shards[SHARD].oldest_unsettled_at == 2.0
    progress.settle(changes[1:])
    assert progress.shards[SHARD].oldest_unsettled_at is None


def test_room_is_given_back_as_changes_settle():
    released: list[tuple[int, int]] = []
    progress = started(released)
    changes = [change("a", number, size=number) for number in (1, 2, 3)]
    progress.admit(SHARD, changes)
    progress.settle(changes[1:])
    progress.settle(changes[:1])
    assert released == [(2, 5), (1, 1)]


def test_a_restart_repeats_nothing_exactly_when_nothing_is_settled_behind_a_hole():
    progress = started()
    changes = [change("a", number) for number in (1, 2)]
    progress.admit(SHARD, changes)
    assert progress.is_exact
    progress.settle(changes[1:])
    assert not progress.is_exact
    progress.settle(changes[:1])
    assert progress.is_exact
