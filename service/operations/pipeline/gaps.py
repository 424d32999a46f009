"""Keeps what is known of lost history with the pipeline's place in the stream, until a snapshot has mended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.configuration.settings import OnGap
from service.errors import GapError, HaltError, ReplicaTakenError
from service.pipeline_state import Gap, Lease
from service.ports import Clock, ProgressStore

MAX_HEALS = 5
HEALS_COUNT_FOR_SECONDS = 3600.0
"""A heal reads the whole source: five an hour that end in a gap again show that the cause stays, and only cost."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5.0, 300.0
"""Doubled from one try to the next. A gap that comes alone is healed at once."""


class Healing:
    """A way out of a gap that is wanted but not saved yet, and the heals that this process has tried."""

    def __init__(self, clock: Clock, on_gap: OnGap) -> None:
        self._clock = clock
        self._on_gap = on_gap
        self._asked = asyncio.Event()
        self._tried: list[tuple[float, str]] = []
        self._refused = 0
        self.is_wanted = False
        self.snapshot_id: str | None = None
        """The job that somebody has stored for it."""
        self.refusal: str | None = None
        """Why a snapshot can't mend what has stopped the pipeline: the replica is another's."""

    def ask(self, snapshot_id: str | None) -> None:
        """A person wants to start anew with a snapshot: what was tried before counts no more."""
        self._tried.clear()
        self.is_wanted, self.snapshot_id = True, snapshot_id
        self._asked.set()

    def drop(self) -> None:
        """The healing start is saved, or somebody else decides."""
        self.is_wanted, self.snapshot_id = False, None
        self._refused = 0

    async def until_due(self, error: HaltError, give_up: Callable[[str], None]) -> None:
        """Until the next start comes: by itself for a gap that a snapshot may mend, else when a person asks.

        `give_up` is told why no more is tried by itself.
        """
        self.refusal = str(error) if isinstance(error, ReplicaTakenError) else None
        may_mend = isinstance(error, GapError) or (self.is_wanted and self.refusal is None)
        if self._on_gap is OnGap.SNAPSHOT and may_mend:
            reason = self._useless(str(error))
            if reason is None:
                self.is_wanted = True
                await self._clock.sleep(_doubled(self._refused or len(self._tried) - 1))
                return
            give_up(reason)
        self.drop()
        self._asked.clear()
        await self._asked.wait()

    def _useless(self, error: str) -> str | None:
        if self.is_wanted:  # its start could not be saved, such as with a stream that is still off: nothing was scanned
            self._refused += 1
            return None
        now = self._clock.monotonic()
        self._tried = [tried for tried in self._tried if tried[0] > now - HEALS_COUNT_FOR_SECONDS]
        if len(self._tried) < MAX_HEALS:
            self._tried.append((now, error))
            return None
        causes = "; ".join(dict.fromkeys([*(cause for _, cause in self._tried), error]))
        return (
            f"a snapshot was tried {len(self._tried)} times within an hour and a gap came again each time, so that "
            f"nothing more is tried by itself: {causes}; mend the cause, then POST /snapshot"
        )


def _doubled(times: int) -> float:
    return min(FIRST_WAIT_SECONDS * 2 ** (times - 1), LONGEST_WAIT_SECONDS) if times else 0.0


async def record_gap(store: ProgressStore, lease: Lease, gap: Gap) -> tuple[Gap, ...]:
    """All gaps that are known then. A gap is kept once, however often a restart finds it again.

    A snapshot that was owed is none any more: what it has copied may be stale, and the gap asks for another one.

    Raises LeaseLostError, RetryableError.
    """
    saved = await store.adopt_progress(lease)
    if saved is None:
        return (gap,)
    is_known = any(
        (known.shard_id, known.after, known.reason) == (gap.shard_id, gap.after, gap.reason) for known in saved.gaps
    )
    gaps = saved.gaps if is_known else (*saved.gaps, gap)
    record = replace(saved, gaps=gaps, needs_snapshot=False, snapshot_id=None)
    if record != saved:
        await store.save_progress(lease, record)
    return gaps
