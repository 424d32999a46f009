"""The flow that follows the stream: it reads, applies, and saves its progress for one tenure of the lease.

A drain's last save comes once everything that was read is settled; after an abort nothing is saved here. A crash costs
what was settled since the last save, which is read again under the guard.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from service.errors import RetryableError
from service.ports import Clock
from service.replication.change_queue import ChangeQueue
from service.replication.flow import Flow
from service.replication.lease import LeaseHolder
from service.replication.progress.checkpoints import Checkpoints
from service.replication.progress.progress import Progress
from service.replication.reading.stream_reader import Readers
from service.replication.requests.replica_watch import ReplicaWatch
from service.replication.writing.write_path import WritePath

LAST_SAVES = 5
LOOK_AT_WINDOW_EVERY_SECONDS = 10.0


class Replicator(Flow):
    """The flow's parts, wired by `lease_term`."""

    checkpoints: Checkpoints

    def __init__(
        self,
        *,
        clock: Clock,
        lease: LeaseHolder,
        readers: Readers,
        queue: ChangeQueue,
        writing: WritePath,
        progress: Progress,
        checkpoints: Checkpoints,
        replica_watch: ReplicaWatch,
    ) -> None:
        super().__init__(
            clock=clock,
            lease=lease,
            queue=queue,
            writing=writing,
            checkpoints=checkpoints,
            first_look=readers.first_look,
            replica_watch=replica_watch,
        )
        self.readers = readers
        self.progress = progress
        self._has_given_up = False
        self.is_saved = False
        """The drain's last save succeeded: everything settled is behind the checkpoint."""

    async def replicate(self) -> None:
        """Run until drained; on return every settled change is checkpointed.

        Raises LeaseLostError, HaltError or GapError, alone; then nothing more was saved, and the last checkpoint
        stands.
        """
        self._lease.behind_since = lambda: self.behind_since
        await super().replicate()
        await self._save_last()

    def _works_beside(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            **super()._works_beside(),
            "checkpoints": self.checkpoints.save_periodically(),
            "guard window": self._watch_window(),
        }

    async def _save_last(self) -> None:
        backoff = self.requests.backoff()
        for _ in range(LAST_SAVES):
            try:
                await self.checkpoints.save_once()
            except RetryableError:
                await backoff.wait()
            else:
                self.is_saved = True
                return

    async def _watch_window(self) -> None:
        while True:
            await self._clock.sleep(LOOK_AT_WINDOW_EVERY_SECONDS)
            self.window.forget_matches(self.settled_up_to)

    @property
    def is_reading(self) -> bool:
        """The stream is followed: neither held, nor draining, nor about to end for an error."""
        is_at_work = self._reading is not None and not self._reading.done()
        return is_at_work and not self._is_draining and not self.gate.is_paused

    @property
    def settled_up_to(self) -> float:
        moments = [reader.surely_read_up_to for reader in self.readers.open_readers()]
        return min([*moments, *self._oldest_unsettled()], default=0.0)

    @property
    def behind_since(self) -> float:
        """From when on changes may be unapplied, as lag counts it: a successor's lag goes on from there (I8)."""
        moments = [reader.read_up_to for reader in self.readers.open_readers()]
        blind_since = self.readers.listings.blind_since(self._clock.now())
        unseen = [] if blind_since is None else [blind_since]
        return min([*moments, *unseen, *self._oldest_unsettled()], default=self.readers.known_up_to)

    @property
    def oldest_unsettled_at(self) -> float | None:
        """When the source made the oldest change that was read and is not settled (seconds since the epoch)."""
        return min(self._oldest_unsettled(), default=None)

    def _oldest_unsettled(self) -> list[float]:
        found = [shard.oldest_unsettled_at for shard in self.progress.shards.values()]
        return [at for at in found if at is not None]

    async def _follow(self) -> None:
        await self.readers.read()

    def give_up(self) -> None:
        self._has_given_up = True
        super().give_up()

    @property
    def is_exact(self) -> bool:
        is_cut_short = self._has_given_up and self.queue.records > 0
        return self.is_saved and self.progress.is_exact and not is_cut_short and not self.doubts

    async def pause(self) -> bool:
        self.hold()
        return await self.gate.pause()

    def hold(self) -> None:
        self.readers.pause()
        self.gate.is_paused = True

    def resume(self) -> None:
        self.readers.resume()
        self.gate.resume()
