"""Saves how far the pipeline is settled, and only that (I2): wholly or not at all, fenced by the lease.

A failed save costs nothing but repeated work after a crash; it is tried again with the next one, and its age shows in
the status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.errors import RetryableError
from service.events import CheckpointSaved, Observer, Retried
from service.model import ShardId
from service.pipeline_state import Checkpoint, Lease, PipelineRecord
from service.ports import Clock, ProgressStore
from service.replication.doubts import Doubts
from service.replication.guard_window import MARGIN_SECONDS, GuardWindow
from service.replication.listings import Listings
from service.replication.progress.progress import Progress


class KeptRecord:
    """What the pipeline remembers, for the jobs that tell of their ends. Saved nowhere."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record

    @property
    def record(self) -> PipelineRecord:
        """What a save would save now."""
        return self._record

    async def save_once(self) -> None:
        """Save if anything has changed. Raises LeaseLostError, RetryableError."""

    def reshaped(self, fingerprint: str) -> None:
        """Every item was brought to the shape of the settings with that fingerprint."""
        self._record = replace(self._record, shape_fingerprint=fingerprint)

    def snapshot_done(self) -> None:
        """The replica is whole: nothing needs a snapshot any more, and every gap is mended."""
        self._record = replace(self._record, needs_snapshot=False, snapshot_id=None, gaps=())


class Checkpoints(KeptRecord):
    """Owned by the replicator; `record` is what the pipeline remembers, but for the progress made since."""

    def __init__(
        self,
        *,
        store: ProgressStore,
        lease: Lease,
        record: PipelineRecord,
        progress: Progress,
        window: GuardWindow,
        doubts: Doubts,
        forgotten: Callable[[], set[ShardId]],
        listings: Listings,
        clock: Clock,
        observer: Observer,
        interval_seconds: float,
    ) -> None:
        """`forgotten` names the shards whose saved checkpoints nobody will ask for again, each at least once."""
        self._store = store
        self._lease = lease
        super().__init__(record)
        self._progress = progress
        self._window = window
        self._doubts = doubts
        self._forgotten = forgotten
        self._listings = listings
        self._clock = clock
        self._observer = observer
        self._interval_seconds = interval_seconds
        self._known = dict(record.checkpoints)
        self._left: dict[ShardId, Checkpoint] = {}
        """Closed shards as the list that was seen last tells: gone since when, or there."""
        self._seen_list: set[ShardId] = listings.listed
        self._saved: PipelineRecord | None = None
        self._saving_window = asyncio.Lock()
        self.unsaved_since: float | None = None
        """Wall clock: since when settled work has been waiting to be saved; None while all of it is."""

    @property
    def record(self) -> PipelineRecord:
        """What a save would save now; a checkpoint that has not changed is the same object as before."""
        return replace(
            self._record,
            checkpoints=self._checkpoints(),
            guarded_until=self._guarded_until(),
            in_doubt=self._doubts.saved(),
        )

    def _checkpoints(self) -> dict[ShardId, Checkpoint]:
        known = self._known
        known |= self._progress.checkpoints()
        if self._listings.listed is not self._seen_list:
            self._seen_list = self._listings.listed
            self._left = self._as_listed()
        known |= self._left
        for shard_id in self._forgotten():
            known.pop(shard_id, None)
            self._left.pop(shard_id, None)
        return dict(known)

    def _as_listed(self) -> dict[ShardId, Checkpoint]:
        """A closed shard is remembered by when it was last listed; an open one needs no such moment."""
        found = {}
        for shard_id, listed_at in self._listings.last_listed(self._clock.now()).items():
            former = self._left.get(shard_id) or self._known.get(shard_id)
            if former is None or not former.is_closed:
                continue
            if former.listed_at != listed_at:
                found[shard_id] = replace(former, listed_at=listed_at)
            elif shard_id in self._left:
                found[shard_id] = former
        return found

    def _guarded_until(self) -> float:
        """While the window is held (a snapshot runs) or remembers keys, a successor must guard up to about now."""
        if not (self._window.is_held or self._window.has_matches):
            return self._window.until
        now = self._clock.now()
        return max(self._window.until, now - now % 10 + 10 + MARGIN_SECONDS)  # in steps: no write every second

    @property
    def is_whole(self) -> bool:
        """The replica lacks nothing but what the stream is still to bring: no gap is open, and no snapshot is owed."""
        return not self._record.needs_snapshot and not self._record.gaps

    @property
    def lost_since(self) -> float | None:
        """When the first of the open gaps was found (seconds since the epoch)."""
        return min((gap.detected_at for gap in self._record.gaps), default=None)

    @property
    def saved(self) -> PipelineRecord:
        """What the control table holds."""
        return self._saved or self._record

    async def save_once(self) -> None:
        record = self.record
        if record == self._saved:
            self.unsaved_since = None
            return
        if self.unsaved_since is None:
            self.unsaved_since = self._clock.now()
        await self._store.save_progress(self._lease, record)
        self._saved = record
        self.unsaved_since = None
        self._observer.observe(CheckpointSaved(len(record.checkpoints)))

    async def save_window(self) -> None:
        """See to it that a successor knows of the held window. Raises LeaseLostError, RetryableError."""
        async with self._saving_window:
            if self.saved.guarded_until < self._clock.now() + MARGIN_SECONDS:
                await self.save_once()

    async def save_periodically(self) -> None:
        """Until cancelled. Raises LeaseLostError."""
        while True:
            await self._clock.sleep(self._interval_seconds)
            try:
                await self.save_once()
            except RetryableError as error:
                self._observer.observe(Retried.after("control", error))
