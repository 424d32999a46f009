"""Owns the flow's tasks for one tenure of the lease: starts them, drains them, or aborts them.

Draining runs with the flow: the readers end, the queue is closed, the lanes settle the rest, progress is saved. After
an abort (the lease is lost, or a person must act) nothing is saved here. A crash costs what was settled since the
last save, which is read again under the guard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from service.errors import HaltError, LeaseLostError, RetryableError
from service.ports import Clock
from service.replication.change_queue import ChangeQueue
from service.replication.lease import LeaseHolder
from service.replication.progress.checkpoints import Checkpoints
from service.replication.progress.progress import Progress
from service.replication.reading.stream_reader import Readers
from service.replication.requests.replica_watch import ReplicaWatch
from service.replication.writing.write_path import WritePath

LAST_SAVES = 5
LOOK_AT_WINDOW_EVERY_SECONDS = 10.0


class Replicator:
    """The flow's parts, wired by `tenure`; runs once."""

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
        self._replica_watch = replica_watch
        self._clock = clock
        self._lease = lease
        self.readers = readers
        self.queue = queue
        self.lanes = writing.lanes
        self.sink = writing.sink
        self.guard = writing.guard
        self.copier = writing.copier
        self.gate = writing.gate
        self.window = writing.window
        self.doubts = writing.doubts
        self._second_looks = writing.second_looks
        self.requests = writing.requests
        self.dead_letters = writing.dead_letters
        self.progress = progress
        self.checkpoints = checkpoints
        self._jobs: asyncio.TaskGroup | None = None
        self._job_tasks: set[asyncio.Task[None]] = set()
        self._awaited_jobs: set[asyncio.Task[None]] = set()
        self._early_jobs: list[tuple[Coroutine[Any, Any, None], str]] = []
        self._reading: asyncio.Task[None] | None = None
        self._applying: asyncio.Task[None] | None = None
        self._is_draining = False
        self._has_given_up = False
        self.is_saved = False
        """The drain's last save succeeded: everything settled is behind the checkpoint."""

    async def replicate(self) -> None:
        """Run until drained; on return every settled change is checkpointed.

        Raises LeaseLostError, HaltError or GapError, alone; then nothing more was saved, and the last checkpoint
        stands.
        """
        self._lease.behind_since = lambda: self.behind_since
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(self._lease.keep(), name="lease"),
                    tasks.create_task(self.checkpoints.save_periodically(), name="checkpoints"),
                    tasks.create_task(self._watch_window(), name="guard window"),
                    tasks.create_task(self._second_looks.look_periodically(), name="second looks"),
                    tasks.create_task(self._replica_watch.watch(), name="replica"),
                ]
                self._jobs = tasks
                self._reading = tasks.create_task(self._read(), name="readers")
                self._applying = tasks.create_task(self.lanes.apply_all(self.queue), name="lanes")
                while self._early_jobs:
                    self.start_job(*self._early_jobs.pop())
                try:
                    await self._until_applied()
                finally:  # a job that is started from now on, in an abort too, would keep the flow from ending
                    self._jobs = None
                    for task in [*beside, *self._job_tasks]:
                        task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            for job, _ in self._early_jobs:
                job.close()  # the flow ended before it could start
        await self._save_last()

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
        """Every change that the source made before this moment was read and is settled (seconds since the epoch)."""
        moments = [reader.surely_read_up_to for reader in self.readers.open_readers()]
        return min([*moments, *self._oldest_unsettled()], default=0.0)

    @property
    def behind_since(self) -> float:
        """From when on changes may be unapplied, as lag counts it: a successor's lag goes on from there (I8)."""
        moments = [reader.read_up_to for reader in self.readers.open_readers()]
        return min([*moments, *self._oldest_unsettled()], default=self.readers.known_up_to)

    @property
    def oldest_unsettled_at(self) -> float | None:
        """When the source made the oldest change that was read and is not settled (seconds since the epoch)."""
        return min(self._oldest_unsettled(), default=None)

    def _oldest_unsettled(self) -> list[float]:
        found = [shard.oldest_unsettled_at for shard in self.progress.shards.values()]
        return [at for at in found if at is not None]

    async def _read(self) -> None:
        if self._is_draining:
            self.queue.close()
            return
        try:
            await self.readers.read()
        except asyncio.CancelledError:
            # Only `drain` closes the queue in order; in an abort the lanes are cancelled too.
            self.queue.close()
            raise

    async def _until_applied(self) -> None:
        assert self._applying is not None
        await asyncio.wait([self._applying])

    def drain(self) -> None:
        """Stop reading, and let the lanes settle what was read. May be repeated."""
        self._is_draining = True
        for task in self._job_tasks:
            task.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def give_up(self) -> None:
        """End a drain that takes too long: what is not settled stays behind the checkpoint."""
        self._has_given_up = True
        if self._applying is not None:
            self._applying.cancel()

    @property
    def has_jobs(self) -> bool:
        """Something runs beside it that somebody waits for. What goes on by itself, such as the endless verification,
        is none: the next owner takes it up.
        """
        return bool(self._awaited_jobs)

    def start_job(self, job: Coroutine[Any, Any, None], name: str, *, is_awaited: bool = False) -> bool:
        """Run something beside the flow, cancelled when it drains; False (and nothing runs) if it is ending already.

        The job sees to its own errors: one that it raises ends the flow.
        """
        if self._jobs is None or self._is_draining:
            job.close()
            return False
        task = self._jobs.create_task(job, name=name)
        self._job_tasks.add(task)
        task.add_done_callback(self._job_tasks.discard)
        if is_awaited:
            self._awaited_jobs.add(task)
            task.add_done_callback(self._awaited_jobs.discard)
        return True

    def start_early(self, job: Coroutine[Any, Any, None], name: str) -> None:
        """A job to start as soon as the flow runs."""
        self._early_jobs.append((job, name))

    @property
    def is_exact(self) -> bool:
        """A restart from the checkpoints would repeat nothing, and no write is in doubt: no guard is needed then."""
        is_cut_short = self._has_given_up and self.queue.records > 0
        return self.is_saved and self.progress.is_exact and not is_cut_short and not self.doubts

    @property
    def has_looked(self) -> bool:
        """The stream was looked at for the first time: what was lost before this start would be known."""
        return self.readers.first_look.is_done

    def when_looked(self, tell: Callable[[], None]) -> None:
        """`tell` is called now, and again once the stream was looked at for the first time."""
        self.readers.first_look.on_done = tell
        tell()

    async def pause(self) -> bool:
        """Returns when no write is in flight any more; reading stops too. May be repeated. False: resumed before."""
        self.hold()
        return await self.gate.pause()

    def hold(self) -> None:
        """Nothing new is read or written from now on; what is in flight ends by itself."""
        self.readers.pause()
        self.gate.is_paused = True

    def resume(self) -> None:
        self.readers.resume()
        self.gate.resume()


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that counts when several tasks fell together: a lost lease before all others."""
    leaves = list(_leaves(errors))
    for kind in (LeaseLostError, HaltError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
