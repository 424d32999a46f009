"""The right to write (I5): acquired, renewed, released; trusted only as long as the clock allows.

Trust ends at the *start* of the last successful renewal plus the lease time less a margin, on the monotonic clock;
requests time out within the margin, so that nothing of ours is on its way when another may take over. The generation
fences the control table: a former owner's writes are refused there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from service.errors import LeaseLostError, RetryableError
from service.events import LeaseAcquired, LeaseLost, LeaseReleased, Observer, Retried
from service.pipeline_state import Lease, LeaseRecord
from service.ports import Clock, LeaseStore

MARGIN = 0.25
"""Of the lease time: trust ends that much before another may take over. Requests to the replica time out within it."""
RENEWALS_PER_LEASE = 5
LOOKS_PER_LEASE = 10
"""How often a standby looks at the lease of the active process."""
LOOK_WHEN_ASKED_SECONDS = 0.2
"""Between two looks at a lease that was asked for: nobody has the pipeline from its release to the next look."""
RESERVED_SECONDS = 2.0
"""A released lease waits so long for the process that it is reserved for: that one may have died."""


class LeaseHolder:
    """One process's hold on the pipeline. Owned by the pipeline's task; `check_trust` is called by anyone."""

    def __init__(
        self, *, store: LeaseStore, owner: str, lease_seconds: float, clock: Clock, observer: Observer
    ) -> None:
        self._store = store
        self.owner = owner
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._observer = observer
        self._trusted_until = float("-inf")
        self.on_renewed: Callable[[LeaseRecord], None] = lambda record: None
        """Told of each renewal: a pause that another process asked for is in it."""
        self.on_turned: Callable[[], None] = lambda: None
        """Told when the lease has become ours, when it is not any more, and at each look while another's."""
        self.behind_since: Callable[[], float | None] = lambda: None
        """Asked at each renewal, for a successor's lag: from when on changes may be unapplied (I8)."""
        self.lease: Lease | None = None
        self.record: LeaseRecord | None = None
        """As last seen, ours or another's."""
        self.has_vanished = False
        """A lease that this process has seen was gone later: the control table was re-created, or cleared by hand."""
        self.asked_at = float("-inf")
        """Monotonic: when `record` was asked for. What was decided since may not be in it."""
        self.failing_since: float | None = None
        """Wall clock: since when the control table has not answered."""
        self.failure: str | None = None
        self.lost_at: float | None = None
        """Wall clock: when this process lost its lease last."""
        self.is_wanted = False
        """Ask the owner, at the next look, to hand the pipeline over to this process."""
        self._asked: LeaseRecord | None = None
        self._acquiring: asyncio.Task[None] | None = None

    async def stand_by(self) -> LeaseRecord | None:
        """Wait until the lease is ours; returns the former owner's, None if there never was one.

        A lease is taken when it was released, for another process a little later, or when its owner did not renew it
        for its whole time while we watched: by the renewals that we saw and our monotonic clock, whatever the wall
        clocks of the two show.
        """
        watched: LeaseRecord | None = None
        watched_since = 0.0
        while True:
            try:
                asked_at = self._clock.monotonic()
                seen = await self._store.read_lease()
                self.has_vanished = self.has_vanished or (seen is None and self.record is not None)
                self.record, self.asked_at = seen, asked_at
                self.failing_since = self.failure = None
                if seen is None or watched is None or _is_news(seen, watched):
                    watched, watched_since = seen, self._clock.monotonic()
                if self._is_free(seen, asked_at - watched_since):
                    await self._acquire(seen)
                    return seen if seen is not None and seen.generation else None
                self.on_turned()
                await self._ask(seen)
            except LeaseLostError:
                watched = None  # another standby was quicker
            except RetryableError as error:
                self._failed(error)
                await self._clock.sleep(self._lease_seconds / LOOKS_PER_LEASE)
                continue
            await self._clock.sleep(self._look_again_seconds(watched, watched_since))

    def _is_free(self, seen: LeaseRecord | None, watched_seconds: float) -> bool:
        if seen is None or not seen.generation:
            return True
        if seen.is_released and seen.reserved_for in ("", self.owner):
            return True
        return watched_seconds >= _free_after_seconds(seen)

    async def _ask(self, seen: LeaseRecord | None) -> None:
        """Once for each time that the lease is wanted. Raises LeaseLostError when its owner has changed."""
        if not self.is_wanted:
            self._asked = None
        elif self._asked is None and seen is not None and not seen.is_released:
            await self._store.ask_for_lease(self.owner, seen)
            self._asked = seen

    def _look_again_seconds(self, watched: LeaseRecord | None, watched_since: float) -> float:
        seconds = self._lease_seconds / LOOKS_PER_LEASE
        if self._asked is not None:
            seconds = min(seconds, LOOK_WHEN_ASKED_SECONDS)
        if watched is None:
            return seconds
        left = watched_since + _free_after_seconds(watched) - self._clock.monotonic()
        return min(seconds, max(left, 0.01))

    async def _acquire(self, seen: LeaseRecord | None) -> None:
        started = self._clock.monotonic()
        request = self._store.acquire_lease(self.owner, seen, self._lease_seconds, self._clock.now())
        self._acquiring = asyncio.create_task(self._own(request, started), name="lease acquired")
        self._acquiring.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._acquiring)  # whoever ends the waiting has to know what came of it

    async def until_known(self) -> None:
        """After `stand_by` was cancelled: returns when nothing is under way that may make the lease ours."""
        if self._acquiring is None or self._acquiring.done():
            return
        try:
            await asyncio.wait([self._acquiring])
        finally:
            self._acquiring.cancel()

    async def _own(self, request: Awaitable[LeaseRecord], started: float) -> None:
        record = await request
        self.record, self.asked_at = record, started
        self.behind_since = lambda: None  # what a former flow of this process knew is old
        self.is_wanted, self._asked = False, None
        self.lease = Lease(record.owner, record.generation)
        self._trust_from(started)
        self.on_turned()
        self._observer.observe(LeaseAcquired(record.owner, record.generation))

    async def renew_once(self) -> LeaseRecord:
        """Extend trust. Raises LeaseLostError when the lease is another's, RetryableError when nobody can tell."""
        assert self.lease is not None
        started = self._clock.monotonic()
        self.record = await self._store.renew_lease(self.lease, self._clock.now(), self.behind_since())
        self.asked_at = started
        self._trust_from(started)
        self.failing_since = self.failure = None
        self.on_renewed(self.record)
        return self.record

    def show_paused(self, is_paused: bool, since: float, by: str) -> None:
        """It was decided just now: `record` tells it before the lease is seen again."""
        if self.record is not None:
            self.record = replace(self.record, is_paused=is_paused, paused_since=since, paused_by=by)

    async def keep(self) -> None:
        """Renew until cancelled. Raises LeaseLostError as soon as the lease can't be trusted any more."""
        while True:
            await self._clock.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            self.check_trust()
            try:
                await self.renew_once()
            except RetryableError as error:
                self._failed(error)

    def _failed(self, error: RetryableError) -> None:
        self.failure = str(error)
        if self.failing_since is None:
            self.failing_since = self._clock.now()
        self._observer.observe(Retried.after("control", error))

    @property
    def active(self) -> str | None:
        """Who holds the lease, as it names itself; None while nobody does, or it was not seen for a lease time."""
        if self.lease is not None:
            return self.owner
        record = self.record
        if record is None or record.is_released or not record.generation or record.owner == self.owner:
            return None  # one that was this process's own is lost
        return record.owner if self._clock.monotonic() - self.asked_at <= record.lease_seconds else None

    @property
    def active_since(self) -> float | None:
        """When that process took the lease (its wall clock); None while it is not known, or was not told."""
        record = self.record
        return (record.held_since or None) if record is not None and self.active is not None else None

    @property
    def is_trusted(self) -> bool:
        """The lease is surely ours at this moment."""
        return self._clock.monotonic() < self._trusted_until

    def check_trust(self) -> None:
        """Raises LeaseLostError unless the lease is surely ours at this moment."""
        if not self.is_trusted:
            reason = "the lease could not be renewed in time" + (f": {self.failure}" if self.failure else "")
            self._observer.observe(LeaseLost(reason))
            raise LeaseLostError(reason)

    async def release(self, *, is_clean: bool, reserved_for: str = "") -> None:
        """Let a standby in at once. `is_clean`: every applied change is behind its checkpoint."""
        assert self.lease is not None
        await self._store.release_lease(self.lease, is_clean, self._clock.now(), self.behind_since(), reserved_for)
        self._forget()
        self._observer.observe(LeaseReleased(is_clean))

    def lose(self) -> None:
        """It is another's now, or soon."""
        self.lost_at = self._clock.now()
        self._forget()

    def _forget(self) -> None:
        self.lease = None
        self._trusted_until = float("-inf")
        self.on_turned()

    def _trust_from(self, started: float) -> None:
        self._trusted_until = started + self._lease_seconds * (1 - MARGIN)


def _is_news(seen: LeaseRecord, watched: LeaseRecord) -> bool:
    return (seen.renewals, seen.is_released) != (watched.renewals, watched.is_released)


def _free_after_seconds(seen: LeaseRecord) -> float:
    """So long a lease that is another's, or reserved for another, has to stand still."""
    return min(RESERVED_SECONDS, seen.lease_seconds) if seen.is_released else seen.lease_seconds
