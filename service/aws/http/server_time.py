"""The time of a service by the `Date` of its answers, told by a clock of ours that nobody sets.

A `Date` counts whole seconds. An answer that was asked for at `sent` and came at `received` was dated in between, so
the service's time less ours lies in an interval; many answers narrow it. While our wall clock fits, it is taken as it
is, so that clocks that agree bring no jitter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial

_SAMPLE_SECONDS = 1.0
"""One answer in that time is looked at."""
_DATED_LATE_SECONDS = 1.0
"""Servers keep the text of a `Date` for a second."""
_FORGET_SECONDS = 60.0
"""What is older does not count: two clocks drift apart by some milliseconds in that time."""
_JUMP_SECONDS = 1.0
"""More than two clocks of one machine drift apart between two samples: one of them was set, or stopped."""
_EVERYTHING = (float("-inf"), float("inf"))
Interval = tuple[float, float]


steady: Callable[[], float] = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds that no time server sets; on Linux they count while the machine sleeps, too."""


class ServerTime:
    """One endpoint's time. Fed by what asks it."""

    def __init__(self, steady: Callable[[], float] = steady, wall: Callable[[], float] = time.time) -> None:
        self.steady = steady
        self.wall = wall
        self.ahead: float | None
        """The service's time less `steady`; None while nothing is known."""
        self.heard_at: float
        """By `steady`: when the last sample was taken."""
        self.listeners: list[Callable[[], None]] = []
        """Told of each sample."""
        self.forget()

    def forget(self) -> None:
        """Nothing is known any more: the process was frozen, and no clock but the wall clock noticed."""
        self.ahead = None
        self.heard_at = float("-inf")
        self._wall_ahead = self._wall_ahead_now()
        """The wall clock less `steady`, at the last sample: it changes when one of the two is set or stops."""
        self._known: Interval = _EVERYTHING
        self._fresh: Interval = _EVERYTHING
        """Of the newer samples only: what is known once the older ones are forgotten."""
        self._fresh_since = 0.0
        self._doubt: Interval | None = None
        """What the last sample says, if it contradicts what is known."""

    def is_due(self, sent: float) -> bool:
        """Whether an answer to a request of that moment is looked at: asked for each answer, so it has to be quick."""
        return sent - self.heard_at >= _SAMPLE_SECONDS

    def heard(self, date: str | None, sent: float) -> None:
        """An answer of the service came just now; `sent`: by `steady`, no later than its request."""
        if date is None or not self.is_due(sent):
            return
        received = self.steady()
        try:
            moment = parsedate_to_datetime(date)
        except ValueError:
            return
        second = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        self.heard_at = received
        self._learn((second - received, second + 1 + _DATED_LATE_SECONDS - sent))
        self._wall_ahead = self._wall_ahead_now()
        for tell in self.listeners:
            tell()

    def _learn(self, sample: Interval) -> None:
        narrowed = _both(self._known, sample)
        if narrowed is None:
            self._doubted(sample)
            return
        self._doubt = None
        self._known = narrowed
        if self.heard_at - self._fresh_since > _FORGET_SECONDS:
            self._known, self._fresh, self._fresh_since = _both(self._fresh, sample) or sample, sample, self.heard_at
        else:
            self._fresh = _both(self._fresh, sample) or sample
        self._choose()

    def _doubted(self, sample: Interval) -> None:
        """One that contradicts all others may be dated wrong: two that agree are believed, or one after a jump."""
        if abs(self._wall_ahead_now() - self._wall_ahead) > _JUMP_SECONDS:
            agreed: Interval | None = sample
        else:
            agreed = None if self._doubt is None else _both(self._doubt, sample)
        if agreed is None:
            self._doubt = sample
            return
        self._doubt = None
        self._known = self._fresh = agreed
        self._fresh_since = self.heard_at
        self._choose()

    def _wall_ahead_now(self) -> float:
        return self.wall() - self.steady()

    def _choose(self) -> None:
        low, high = self._known
        if self.ahead is not None and low <= self.ahead <= high:
            return
        own = self._wall_ahead_now()
        nearest = min(max(own, low), high)
        # A clock that is almost right is not moved by more than it is wrong.
        self.ahead = nearest if abs(nearest - own) < 1.0 else low + min(0.5, (high - low) / 2)


def _both(one: Interval, other: Interval) -> Interval | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None


class ServerTimes:
    """What time it is at AWS, by the first of these endpoints that was heard lately; else by the one heard last."""

    def __init__(self, *times: ServerTime) -> None:
        """In the order of trust: changes are dated by the stream's service."""
        self._times: list[ServerTime] = []
        self._steady = times[0].steady if times else steady
        self._wall = times[0].wall if times else time.time
        self._ahead: float | None = None
        for one in times:
            self.add(one)

    def add(self, one: ServerTime) -> None:
        """Another endpoint, trusted less than the others."""
        self._times.append(one)
        one.listeners.append(self._choose)
        self._choose()

    def remove(self, *times: ServerTime) -> None:
        """Endpoints that are asked no more; without names all of them."""
        for one in times or list(self._times):
            self._times.remove(one)
            one.listeners.remove(self._choose)
        self._choose()

    def now(self) -> float:
        """Seconds since the epoch; the wall clock while no answer has come."""
        return self._wall() if self._ahead is None else self._steady() + self._ahead

    def forget(self) -> None:
        """After the process was frozen: the wall clock counts until an answer comes."""
        for one in self._times:
            one.forget()
        self._ahead = None

    def offset(self) -> float | None:
        """AWS's time less the wall clock; None while no answer has come."""
        return None if self._ahead is None else self.now() - self._wall()

    def _choose(self) -> None:
        now = self._steady()
        known = [one for one in self._times if one.ahead is not None]
        lately = [one for one in known if now - one.heard_at < _FORGET_SECONDS]
        self._ahead = (lately[0] if lately else max(known, key=lambda one: one.heard_at)).ahead if known else None

    def at(self, endpoint: ServerTime) -> float:
        """The time at one endpoint, for a signature; AWS's as far as it is known, while that one has not answered."""
        return self.now() if endpoint.ahead is None else self._steady() + endpoint.ahead
