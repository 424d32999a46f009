"""The flow of a process that writes beside Lambda and reads no stream: lanes, guard and jobs, but no readers.

Everything is judged by the source (GuardWindow.is_shared), since nobody here knows what Lambda brings meanwhile. The
lease keeps a second such process, and a container, from doing the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.operations.job_store import new_job_id
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import LeaseRecord, PipelineRecord
from service.ports import Clock
from service.replication.change_queue import ChangeQueue
from service.replication.claim import claim_replica
from service.replication.guard_window import GuardWindow
from service.replication.lease import LeaseHolder
from service.replication.progress.checkpoints import Checkpoints
from service.replication.replicator import Replicator, first_of
from service.replication.requests.replica_watch import ReplicaWatch, check_replica
from service.replication.writing.write_path import WritePath, build_write_path, metadata_of

SETTLED_AFTER_SECONDS = 30.0
"""What Lambda does is not seen here: a difference between the tables counts when it has stood for so long."""


class NoCheckpoints(Checkpoints):
    """Lambda keeps the place in the stream: nothing of it is saved here."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record
        self.unsaved_since = None

    @property
    def record(self) -> PipelineRecord:
        return self._record

    async def save_once(self) -> None:
        """Nothing."""


class SideFlow(Replicator):
    """A Replicator to the jobs beside it. Has no `readers` and no `progress`: nothing is read."""

    def __init__(
        self, *, clock: Clock, lease: LeaseHolder, writing: WritePath, watch: ReplicaWatch, record: PipelineRecord
    ) -> None:
        self._replica_watch = watch
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
        self.checkpoints = NoCheckpoints(record)
        self._jobs = None
        self._job_tasks = set()
        self._awaited_jobs = set()
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
                watching = tasks.create_task(self._replica_watch.watch(), name="replica")
                looking = tasks.create_task(self._second_looks.look_periodically(), name="second looks")
                self._jobs = tasks
                self._applying = tasks.create_task(self.lanes.apply_all(self.queue), name="lanes")
                while self._early_jobs:
                    self.start_job(*self._early_jobs.pop())
                await asyncio.wait([self._applying])
                self._jobs = None
                for task in [keeping, watching, looking, *self._job_tasks]:
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

    @property
    def has_looked(self) -> bool:
        return True  # at no stream

    def when_looked(self, tell: Callable[[], None]) -> None:
        """As there."""
        tell()

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
        held = await self._retrying(lambda: outside.adapters.control.read_claim(replica))
        is_healing = self.healing.is_wanted
        if held is not None and not is_healing:
            check_replica(held.replica_id, replica)  # no progress is kept here: the claim knows what Lambda wrote to
        await self._retrying(lambda: claim_replica(outside.adapters, outside.source, replica))
        claims, table = outside.adapters.control, outside.adapters.replica
        metadata = metadata_of(self.settings, outside.source, self._observer)
        metadata.note(replica)
        watch = ReplicaWatch(table, claims, replica.table_id or None, self._clock, metadata.note)
        writing = build_write_path(
            settings=self.settings,
            adapters=outside.adapters,
            source=outside.source,
            window=GuardWindow(guards_all=True, is_shared=True),
            settle=lambda changes: None,
            check_trust=self.holder.check_trust,
            observer=self._observer,
            watch=watch,
            metadata=metadata,
            allowance=self.allowance,
        )
        record = PipelineRecord(outside.source.stream_arn or "")
        if is_healing:
            job_id = self.healing.snapshot_id or new_job_id(self._clock)
            record = replace(record, gaps=self.gaps, needs_snapshot=True, snapshot_id=job_id)
        self.healing.drop()
        return SideFlow(clock=self._clock, lease=self.holder, writing=writing, watch=watch, record=record)
