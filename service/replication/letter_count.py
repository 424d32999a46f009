"""How many dead letters are kept: the control table knows it exactly, and here is what it said last."""

from __future__ import annotations

import asyncio
import contextlib

from service.errors import HaltError, RetryableError
from service.ports import Clock, DeadLetterStore

LOOK_EVERY_SECONDS = 10.0
"""Others change it too: Lambda, a discard that a standby was asked for."""

KNOWN_SECONDS = 30.0
"""For so long after it was last read, the number is known to a process that does not own the pipeline."""

LOOK_WHILE_UNKNOWN_SECONDS = 1.0


class LetterCount:
    """One for a process, whatever its part in the pipeline is at the moment."""

    def __init__(self, store: DeadLetterStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()
        self.value: int | None = None
        """As it was last read; None while it is not known."""
        self._read_at = float("-inf")

    def known(self, *, is_owner: bool) -> int | None:
        """What may be told of it: nothing where the control table was not read for long, and others may own it."""
        is_known = is_owner or self._clock.monotonic() - self._read_at <= KNOWN_SECONDS
        return self.value if is_known else None

    async def refresh(self) -> None:
        """Look now, as after each change of our own; a control table that does not answer is asked again later."""
        async with self._turn:  # so that the answer to the last question counts
            with contextlib.suppress(RetryableError):
                try:
                    self.value = await self._store.count_dead_letters()
                    self._read_at = self._clock.monotonic()
                except HaltError:  # a hand has damaged it: no reason to replicate nothing
                    self.value = None

    async def look_periodically(self) -> None:
        """Until cancelled."""
        while True:
            await self.refresh()
            await self._clock.sleep(LOOK_WHILE_UNKNOWN_SECONDS if self.value is None else LOOK_EVERY_SECONDS)
