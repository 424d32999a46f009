"""What lag is, from what is known of each shard (I8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.replication.progress.lag import FRESH_SECONDS, ShardView, lag_of, shard_lag

NOW = 1000.0
AT_TIP = ShardView(is_open=True, oldest_unsettled_at=None, read_up_to=NOW, tip_seen_at=NOW, poll_seconds=0.25)


def test_a_shard_at_its_tip_with_nothing_unsettled_has_no_lag():
    lag = lag_of([AT_TIP], NOW + 0.2)
    assert (lag.seconds, lag.is_caught_up, lag.oldest_unapplied_at) == (0.0, True, None)


def test_lag_is_the_age_of_the_oldest_unsettled_change_of_the_worst_shard():
    views = [replace(AT_TIP, oldest_unsettled_at=NOW - 7), replace(AT_TIP, oldest_unsettled_at=NOW - 3)]
    lag = lag_of(views, NOW)
    assert (lag.seconds, lag.oldest_unapplied_at, lag.is_caught_up) == (7.0, NOW - 7, False)


def test_a_change_that_seems_to_come_from_the_future_makes_no_negative_lag_e32():
    lag = lag_of([replace(AT_TIP, oldest_unsettled_at=NOW + 5, read_up_to=NOW + 5)], NOW)
    assert 0 < lag.seconds < 0.01
    assert not lag.is_caught_up


def test_lag_grows_while_a_shard_is_not_read_e32():
    assert shard_lag(AT_TIP, NOW + 60) == 60 - AT_TIP.poll_seconds
    assert not lag_of([AT_TIP], NOW + 60).is_caught_up


def test_a_shard_that_was_never_read_is_not_reported_as_without_lag():
    """Nothing tells how old what waits there is."""
    unread = replace(AT_TIP, tip_seen_at=None)
    lag = lag_of([AT_TIP, unread], NOW)
    assert lag.seconds > 0
    assert not lag.is_caught_up


def test_without_any_known_shard_nothing_is_caught_up():
    lag = lag_of([], NOW)
    assert lag.seconds > 0
    assert not lag.is_caught_up


@pytest.mark.parametrize(("seconds", "is_caught_up"), [(0.0, True), (FRESH_SECONDS + 0.74, True), (1.8, False)])
def test_a_tip_counts_for_the_last_few_polls(seconds, is_caught_up):
    assert lag_of([AT_TIP], NOW + seconds).is_caught_up is is_caught_up


def test_an_ended_shard_lags_only_by_what_is_unsettled():
    ended = replace(AT_TIP, is_open=False, tip_seen_at=None, read_up_to=0.0)
    assert lag_of([ended], NOW).is_caught_up
    assert lag_of([replace(ended, oldest_unsettled_at=NOW - 2)], NOW).seconds == 2.0


def test_the_second_that_a_creation_time_is_rounded_down_by_makes_lag_greater_and_never_smaller_e31():
    assert shard_lag(replace(AT_TIP, oldest_unsettled_at=float(int(NOW - 0.7))), NOW) >= 0.7
