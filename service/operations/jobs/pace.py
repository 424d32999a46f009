"""How fast a job gets on as of late, and how long it will take, told from the counts at the times it was looked at."""

from __future__ import annotations

from collections import deque

from service.ports import Clock

WINDOW_SECONDS = 10.0
"""The rate is over so long at least, where there was a look before it; else since the job was begun or taken up."""
LEAST_SECONDS = 1.0


class Pace:
    """One for a run. A count that stands still for the window, as in a pause, leaves no time to be told."""

    def __init__(self, clock: Clock, done: int) -> None:
        self._clock = clock
        self._looks = deque([(clock.monotonic(), done)])

    def told(self, done: int, expected: int | None) -> dict[str, float | None]:
        """`per_second` and `seconds_left`."""
        now = self._clock.monotonic()
        if now - self._looks[-1][0] >= LEAST_SECONDS:
            self._looks.append((now, done))
        while len(self._looks) > 1 and now - self._looks[1][0] >= WINDOW_SECONDS:
            self._looks.popleft()
        began_at, before = self._looks[0]
        if now - began_at < LEAST_SECONDS:
            return {"per_second": None, "seconds_left": None}
        rate = max(0, done - before) / (now - began_at)
        left = (expected - done) / rate if expected is not None and expected > done and rate else None
        return {"per_second": rate, "seconds_left": left}
