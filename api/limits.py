"""The bounds that keep a slow or hostile client from taking the event loop, which replication shares."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them together, may take. Rates hold for each kind of caller by itself."""

    max_body_bytes: int = 64 * 1024
    max_head_bytes: int = 16 * 1024
    max_connections: int = 128
    head_seconds: float = 10
    """From the opening of a connection to its first whole request head."""
    body_seconds: float = 10
    max_discarded_bytes: int = 1024 * 1024
    """How much of a refused request's body is read away before it is answered."""
    discard_seconds: float = 1
    request_seconds: float = 60
    """How long the work for a request may take; then it is interrupted."""
    answer_seconds: float = 30
    """How long a client may take to fetch an answer; it bounds a kept connection's next request head too."""
    keep_alive_seconds: int = 5
    requests_per_second: float = 100
    burst: int = 50
    max_wait_seconds: float = 1
    """A request over the rate waits this long at most; one that would wait longer is refused after this time."""


class Pace:
    """Lets requests through at a steady rate, in the order they came, after a burst.

    What is over the rate waits instead of being refused, and even a refusal takes its time: so a flood costs the event
    loop the rate plus one request a connection each `max_wait_seconds`, whatever it sends.
    """

    def __init__(self, limits: Limits) -> None:
        self._seconds_each = 1 / limits.requests_per_second
        self._slack = limits.burst / limits.requests_per_second
        self._max_wait = limits.max_wait_seconds
        self._next_at = float("-inf")

    async def admit(self) -> bool:
        """Wait for a turn. False: there is none within `max_wait_seconds`, which have passed now."""
        now = asyncio.get_running_loop().time()
        due = max(self._next_at, now - self._slack)
        if due - now > self._max_wait:
            await asyncio.sleep(self._max_wait)
            return False
        self._next_at = due + self._seconds_each
        if due > now:
            await asyncio.sleep(due - now)
        return True
