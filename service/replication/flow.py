"""A flow: what writes to the replica in one tenure of the lease, the jobs beside it, and the tasks of both.

The Replicator is the flow that follows the stream. Draining runs with the flow: what reads ends and closes the queue,
the lanes settle the rest. After an abort (the lease is lost, or a person must act) nothing is saved.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from service.errors import first_of
from service.ports import Clock
from service.replication.change_queue import ChangeQueue
from service.replication.lease import LeaseHolder
from service.replication.progress.checkpoints import KeptRecord
from service.replication.reading.first_look import FirstLook
from service.replication.requests.replica_watch import ReplicaWatch
from service.replication.writing.write_path import WritePath


class Flow(ABC):
    """Runs once. A subclass says what is read, and what is known of it."""

    def __init__(
        self,
        *,
        clock: Clock,
        lease: LeaseHolder,
        queue: ChangeQueue,
        writing: WritePath,
        checkpoints: KeptRecord,
        first_look: FirstLook,
        replica_watch: ReplicaWatch,
    ) -> None:
        self._replica_watch = replica_watch
        self._clock = clock
        self._lease = lease
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
        self.checkpoints = checkpoints
        self.first_look = first_look
        self._jobs: asyncio.TaskGroup | None = None
        self._job_tasks: set[asyncio.Task[None]] = set()
        self._awaited_jobs: set[asyncio.Task[None]] = set()
        self._early_jobs: list[tuple[Coroutine[Any, Any, None], str]] = []
        self._reading: asyncio.Task[None] | None = None
        self._applying: asyncio.Task[None] | None = None
        self._is_draining = False

    async def replicate(self) -> None:
        """Run until drained. Raises LeaseLostError, HaltError or GapError, alone."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(work, name=name) for name, work in self._works_beside().items()]
                self._jobs = tasks
                self._reading = tasks.create_task(self._read(), name="readers")
                self._applying = tasks.create_task(self.lanes.apply_all(self.queue), name="lanes")
                while self._early_jobs:
                    self.start_job(*self._early_jobs.pop())
                try:
                    await asyncio.wait([self._applying])
                finally:  # a job that is started from now on, in an abort too, would keep the flow from ending
                    self._jobs = None
                    for task in [*beside, *self._job_tasks]:
                        task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            for job, _ in self._early_jobs:
                job.close()  # the flow ended before it could start

    def _works_beside(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on until everything is applied, by its name."""
        return {
            "lease": self._lease.keep(),
            "second looks": self._second_looks.look_periodically(),
            "replica": self._replica_watch.watch(),
        }

    async def _read(self) -> None:
        if self._is_draining:
            self.queue.close()
            return
        try:
            await self._follow()
        except asyncio.CancelledError:
            # Only `drain` closes the queue in order; in an abort the lanes are cancelled too.
            self.queue.close()
            raise

    @abstractmethod
    async def _follow(self) -> None:
        """Put changes into the queue until cancelled."""

    def drain(self) -> None:
        """Stop reading, and let the lanes settle what was read. May be repeated."""
        self._is_draining = True
        for task in self._job_tasks:
            task.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def give_up(self) -> None:
        """End a drain that takes too long: what is not settled stays behind the checkpoint."""
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
    @abstractmethod
    def settled_up_to(self) -> float:
        """Every change that the source made before this moment was read and is settled (seconds since the epoch)."""

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """A restart from the checkpoints would repeat nothing, and no write is in doubt: no guard is needed then."""

    @abstractmethod
    async def pause(self) -> bool:
        """Returns when no write is in flight any more; reading stops too. May be repeated. False: resumed before."""

    @abstractmethod
    def hold(self) -> None:
        """Nothing new is read or written from now on; what is in flight ends by itself."""

    @abstractmethod
    def resume(self) -> None:
        """Read and write again."""
