"""How long to wait before the same request is made again: exponential, jittered, capped."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.errors import RetryableError
from service.events import Observer, Retried
from service.ports import Clock

Answer = TypeVar("Answer")

FIRST_SECONDS = 0.05
MAX_SECONDS = 3.0
"""So that a flow that waits for a table notices within seconds that it is back."""


class Backoff:
    """One request's waits. `reset` after a success."""

    def __init__(self, clock: Clock, *, first_seconds: float = FIRST_SECONDS, max_seconds: float = MAX_SECONDS) -> None:
        self._clock = clock
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds
        self.attempts = 0

    def next_seconds(self) -> float:
        """Between half and all of the exponential wait, so that lanes do not come back in step."""
        # The exponent is bounded, or an outage of hours would overflow a float.
        ceiling = min(self._max_seconds, self._first_seconds * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return ceiling * random.uniform(0.5, 1.0)

    async def wait(self) -> None:
        await self._clock.sleep(self.next_seconds())

    def reset(self) -> None:
        self.attempts = 0


async def until_answered(
    ask: Callable[[], Awaitable[Answer]],
    clock: Clock,
    observer: Observer,
    target: str,
    show: Callable[[str | None], None] = lambda trouble: None,
) -> Answer:
    """A request outside of the flow, made again until it is answered; `show` is told what keeps it, or that it is."""
    backoff = Backoff(clock)
    while True:
        try:
            answer = await ask()
            show(None)
            return answer
        except RetryableError as error:
            show(str(error))
            observer.observe(Retried.after(target, error))
        await backoff.wait()
