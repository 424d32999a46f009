"""The flow of a process that writes beside Lambda and reads no stream: lanes, guard and jobs, but no readers.

Everything is judged by the source (GuardWindow.is_shared), since nobody here knows what Lambda brings meanwhile. The
lease keeps a second such process, and a container, from doing the same.
"""

from __future__ import annotations

import asyncio

from service.control import LeaseRecord, PipelineRecord
from service.operations.pipeline import Pipeline
from service.ports import Clock
from service.replication.change_queue import ChangeQueue
from service.replication.checkpoints import Checkpoints
from service.replication.claim import claim_replica
from service.replication.guard_window import GuardWindow
from service.replication.lease import LeaseHolder
from service.replication.replicator import Replicator, first_of
from service.replication.write_path import WritePath, build_write_path, metadata_of

SETTLED_AFTER_SECONDS = 30.0
"""What Lambda does is not seen here: a difference between the tables counts when it has stood for so long."""


class NoCheckpoints(Checkpoints):
    """Lambda keeps the place in the stream: nothing of it is saved here."""

    def __init__(self, stream_arn: str) -> None:
        self._record = PipelineRecord(stream_arn)
        self.unsaved_since = None

    @property
    def record(self) -> PipelineRecord:
        return self._record

    async def save_once(self) -> None:
        """Nothing."""


class SideFlow(Replicator):
    """A Replicator to the jobs beside it. Has no `readers` and no `progress`: nothing is read."""

    def __init__(self, *, clock: Clock, lease: LeaseHolder, writing: WritePath, stream_arn: str) -> None:
        self._clock = clock
        self._lease = lease
        self.queue = ChangeQueue(1, 1)
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
        self.checkpoints = NoCheckpoints(stream_arn)
        self._jobs = None
        self._job_tasks = set()
        self._early_jobs = []
        self._reading = None
        self._applying = None
        self._is_draining = False
        self._has_given_up = False
        self.is_saved = True

    async def replicate(self) -> None:
        """Carry the jobs until drained. Raises LeaseLostError, HaltError."""
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._lease.keep(), name="lease")
                looking = tasks.create_task(self._second_looks.look_periodically(), name="second looks")
                self._jobs = tasks
                self._applying = tasks.create_task(self.lanes.apply_all(self.queue), name="lanes")
                while self._early_jobs:
                    self.start_job(*self._early_jobs.pop())
                await asyncio.wait([self._applying])
                self._jobs = None
                for task in [keeping, looking, *self._job_tasks]:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            for job, _ in self._early_jobs:
                job.close()

    def drain(self) -> None:
        super().drain()
        self.queue.close()

    @property
    def settled_up_to(self) -> float:
        return self._clock.now() - SETTLED_AFTER_SECONDS

    @property
    def is_exact(self) -> bool:
        return False  # Lambda goes on

    def hold(self) -> None:
        """A pause is Lambda's; what an operator asks for here is done all the same."""

    async def pause(self) -> bool:
        """As `hold`."""
        return True

    def resume(self) -> None:
        """As `hold`."""


class SidePipeline(Pipeline):
    """A Pipeline whose flow is a SideFlow."""

    async def _begin(self, former: LeaseRecord | None) -> Replicator:
        outside = self.outside
        replica = await self._retrying(outside.adapters.replica.describe)
        await self._retrying(lambda: claim_replica(outside.adapters, outside.source, replica))
        metadata = metadata_of(self.settings, outside.source, self._observer)
        metadata.note(replica)
        writing = build_write_path(
            settings=self.settings,
            adapters=outside.adapters,
            source=outside.source,
            window=GuardWindow(guards_all=True, is_shared=True),
            settle=lambda changes: None,
            check_trust=self.holder.check_trust,
            observer=self._observer,
            metadata=metadata,
        )
        return SideFlow(
            clock=self._clock, lease=self.holder, writing=writing, stream_arn=outside.source.stream_arn or ""
        )
