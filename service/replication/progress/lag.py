"""What lag is: pure (I8). Never zero while a change is unapplied, growing while the stream can't be read.

Lag is the age of the oldest unsettled change; with nothing unsettled, the time since each open shard was last known
to be read through, less one poll interval; never below zero, and zero only when caught up. A shard that waits for its
parent counts with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FRESH_POLLS = 3
"""Within "the last few polls": a shard's tip counts as seen while it was seen this many of its polls ago."""
FRESH_SECONDS = 1.0
"""… and at least so long ago, so that a short poll interval does not ask for more than a busy machine gives."""

LEAST_SECONDS = 0.001
"""Of what is not known to be caught up: before a shard's first page, nothing tells how old what waits there is."""


@dataclass(frozen=True, slots=True)
class ShardView:
    """What lag needs to know of a shard that is being read or holds unsettled changes. Times: epoch seconds."""

    is_open: bool
    """Not read to its end yet."""
    oldest_unsettled_at: float | None
    read_up_to: float
    """Everything that the source made before this moment was read: the last time the tip was seen, or the creation
    time of the last record, or when reading began if there was neither."""
    tip_seen_at: float | None
    """The last read found the tip at this time; None while records are still coming or nothing is known."""
    poll_seconds: float
    """How long the shard's reader waits between two empty pages now."""


@dataclass(frozen=True, slots=True)
class Lag:
    seconds: float
    oldest_unapplied_at: float | None
    is_caught_up: bool


def shard_lag(shard: ShardView, now: float) -> float:
    """Seconds that one shard is behind."""
    behind = [0.0]
    if shard.oldest_unsettled_at is not None:
        behind.append(now - shard.oldest_unsettled_at)
    if shard.is_open:
        behind.append(now - shard.read_up_to - shard.poll_seconds)
    return max(behind)


def _is_at_tip(shard: ShardView, now: float) -> bool:
    fresh_seconds = FRESH_SECONDS + FRESH_POLLS * shard.poll_seconds
    return shard.tip_seen_at is not None and now - shard.tip_seen_at <= fresh_seconds


def lag_of(shards: Iterable[ShardView], now: float) -> Lag:
    """The pipeline's lag: that of its worst shard. Without any shard known, nothing is caught up."""
    views = list(shards)
    oldest = min((view.oldest_unsettled_at for view in views if view.oldest_unsettled_at is not None), default=None)
    at_tip = all(_is_at_tip(view, now) for view in views if view.is_open)
    seconds = max((shard_lag(view, now) for view in views), default=0.0)
    is_caught_up = bool(views) and oldest is None and at_tip
    return Lag(seconds if is_caught_up else max(seconds, LEAST_SECONDS), oldest, is_caught_up)
