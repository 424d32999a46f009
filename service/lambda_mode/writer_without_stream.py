"""The flow of a process that writes beside Lambda and reads no stream: lanes, guard and jobs, but no readers.

Everything is judged by the source (GuardWindow.is_shared), since nobody here knows what Lambda brings meanwhile. The
lease keeps a second such process, and a container, from doing the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from service.operations.job_store import new_job_id
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import LeaseRecord, PipelineRecord
from service.replication.change_queue import ChangeQueue
from service.replication.claim import claim_replica
from service.replication.flow import Flow
from service.replication.guard_window import GuardWindow
from service.replication.progress.checkpoints import KeptRecord
from service.replication.reading.first_look import FirstLook
from service.replication.requests.replica_watch import ReplicaWatch, check_replica
from service.replication.writing.write_path import build_write_path, metadata_of

SETTLED_AFTER_SECONDS = 30.0
"""What Lambda does is not seen here: a difference between the tables counts when it has stood for so long."""


class SideFlow(Flow):
    """Reads nothing: its queue stays empty."""

    async def _follow(self) -> None:
        await asyncio.Event().wait()

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

    async def _begin(self, former: LeaseRecord | None) -> Flow:
        adapters, source = self.outside.adapters, self.outside.source
        replica = await self._retrying(adapters.replica.describe)
        held = await self._retrying(lambda: adapters.control.read_claim(replica))
        is_healing = self.healing.is_wanted
        if held is not None and not is_healing:
            check_replica(held.replica_id, replica)  # no progress is kept here: the claim knows what Lambda wrote to
        await self._retrying(lambda: claim_replica(adapters, source, replica))
        metadata = metadata_of(self.settings, source, self.observer)
        metadata.note(replica)
        known = replica.table_id or None
        watch = ReplicaWatch(adapters.replica, adapters.control, known, self._clock, metadata.note)
        writing = build_write_path(
            settings=self.settings,
            adapters=adapters,
            source=source,
            window=GuardWindow(guards_all=True, is_shared=True),
            settle=lambda changes: None,
            check_trust=self.holder.check_trust,
            observer=self.observer,
            watch=watch,
            metadata=metadata,
            allowance=self.allowance,
        )
        record = PipelineRecord(source.stream_arn or "")
        if is_healing:
            job_id = self.healing.snapshot_id or new_job_id(self._clock)
            record = replace(record, gaps=self.gaps, needs_snapshot=True, snapshot_id=job_id)
        self.healing.drop()
        looked = FirstLook()
        looked.begin([])  # at no stream
        return SideFlow(
            clock=self._clock,
            lease=self.holder,
            queue=ChangeQueue(1, 1),
            writing=writing,
            checkpoints=KeptRecord(record),  # Lambda keeps the place in the stream: nothing of it is saved here
            first_look=looked,
            replica_watch=watch,
        )
