"""Starts snapshots, goes on with one after a restart, cancels and shows them."""

from __future__ import annotations

from typing import Any

from service.operations.console import ConflictError, answering
from service.operations.documents.jobs import JobState, Snapshot, StartedBy
from service.operations.jobs.estimates import count_anew
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.jobs.scan_position import ScanPosition
from service.operations.pipeline.ownership import flow_of, is_failed, lease_of
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.run import SnapshotRun
from service.pipeline_state import Lease, PipelineRecord
from service.replication.job_flow import JobFlow
from service.replication.writing.fingerprint import shape_fingerprint

REPLACED = "a new snapshot, which copies everything, took its place: what this one had copied may be stale"
NEEDED = (
    "the replica is not whole without the snapshot {}, so that it can't be cancelled: a pause (POST /pause) stops its "
    "reads and writes, and it goes on when the pipeline is resumed"
)


class Snapshots(JobRunner[Snapshot]):
    """One snapshot at a time. A first start, and one that heals a gap, begins its own."""

    kind = "snapshot"
    model = Snapshot
    goes_on = "it goes on if a restart mends that, and ends if a new snapshot does"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._held_for: JobFlow | None = None
        """The flow whose window is held until it is known whether a snapshot goes on."""

    async def start(self) -> Snapshot:
        """A new snapshot, or the way out of the state `failed`. Raises ConflictError while one runs."""
        pipeline = self._pipeline
        if is_failed(pipeline):
            if pipeline.healing.refusal is not None:
                raise ConflictError(pipeline.healing.refusal)
            return await self._mend()

        async def make() -> Unfinished[Snapshot]:
            await count_anew(pipeline)
            return self._new(removes_extra=False, started_by=StartedBy.ADMIN)

        job, _ = await self._start(flow_of(pipeline), make)
        return job

    def refusal(self) -> str | None:
        if is_failed(self._pipeline):  # a snapshot is the way out
            return self._pipeline.healing.refusal
        return super().refusal()

    async def _current(self, job: Snapshot) -> Snapshot:
        """With its need; a process that does not own the pipeline can cancel nothing, and does not ask."""
        if job.id != self._wanted_to_mend():
            job = await super()._current(job)
        if job.state is not JobState.RUNNING or self._pipeline.holder.lease is None:
            return job
        return job.model_copy(update={"needed": await self._is_needed(job)})

    async def _mend(self) -> Snapshot:
        """Whatever snapshot was under way before is of no use any more."""
        pipeline = self._pipeline
        async with self._turn:
            if (wanted := self._wanted_to_mend()) is not None:
                raise self._runs_already(wanted)
            if not is_failed(pipeline):
                raise ConflictError("another call has mended the pipeline meanwhile: GET /snapshots shows its snapshot")
            await count_anew(pipeline)
            lease = lease_of(pipeline)
            with answering():
                unfinished = await self._log.adopt(lease.generation)
                if unfinished is not None:
                    await self._end_aside(unfinished, lease, JobState.FAILED, REPLACED)
            job, place = self._new(removes_extra=True, started_by=StartedBy.ADMIN)
            await self._begin(job, place, lease)
            if is_failed(pipeline):
                pipeline.healing.ask(job.id)
            else:
                self._look_again()
            return job.model_copy(update={"needed": job.id == self._wanted_to_mend()})

    def _wanted_to_mend(self) -> str | None:
        """The snapshot that is begun as the way out of the state `failed`, until its start is saved."""
        healing = self._pipeline.healing
        return healing.snapshot_id if healing.is_wanted else None

    def _new(
        self, *, removes_extra: bool, started_by: StartedBy, job_id: str | None = None
    ) -> tuple[Snapshot, dict[str, Any]]:
        estimated = self._pipeline.outside.source.item_count
        known = {"id": job_id} if job_id else {}
        job = self._log.begun(started_by=started_by, items_estimated=estimated, **known)
        shape = shape_fingerprint(self._pipeline.settings)
        return job, ScanPosition({"removes_extra": removes_extra, "shape_fingerprint": shape}).saved()

    def _go_on(self, flow: JobFlow) -> None:
        """Also with a snapshot that the pipeline needs, and that nobody has begun yet."""
        super()._go_on(flow)
        is_needed = flow.checkpoints.record.needs_snapshot
        self._pipeline.show_snapshotting(is_needed)  # a former flow may have ended before its snapshot had begun
        if is_needed:
            self._held_for = flow
            flow.window.hold()  # from before the first change is applied; the resumed run holds it for itself

    async def _resume(self, flow: JobFlow, lease: Lease) -> None:
        try:
            await super()._resume(flow, lease)
        finally:
            if self._held_for is flow:
                self._held_for = None
                flow.window.release(self._clock.now())

    def _preferred_id(self, flow: JobFlow) -> str | None:
        return flow.checkpoints.record.snapshot_id

    async def _taken_up(
        self, flow: JobFlow, lease: Lease, unfinished: Unfinished[Snapshot] | None
    ) -> Unfinished[Snapshot] | None:
        """One that scanned before the pipeline's saved start is never taken up for it: it ends as failed."""
        record = flow.checkpoints.record
        if unfinished is not None and record.needs_snapshot and record.snapshot_id not in (None, unfinished[0].id):
            await self._end_aside(unfinished, lease, JobState.FAILED, REPLACED)
            unfinished = None
        if unfinished is None and record.needs_snapshot:
            return await self._needed(flow, lease, record)
        if unfinished is not None and flow.window.is_shared and not self._pipeline.settings.skip_ttl_deletes:
            # Beside Lambda each copy is looked at again, lest it outlives a deletion that Lambda has applied
            # meanwhile. A process that died in between has left that to us.
            return unfinished[0], unfinished[1] | {"removes_extra": True}
        return unfinished

    async def _needed(self, flow: JobFlow, lease: Lease, record: PipelineRecord) -> Unfinished[Snapshot] | None:
        """The pipeline's own snapshot, begun now, unless it is done and only that is not saved yet."""
        if record.snapshot_id is not None:
            filed = await self._log.filed(record.snapshot_id)
            if filed is not None and filed.state is JobState.DONE:
                flow.checkpoints.snapshot_done()
                await flow.checkpoints.save_once()
                self._pipeline.gaps = flow.checkpoints.record.gaps
                self._pipeline.show_snapshotting(False)
                return None
        started_by = StartedBy.GAP if self._pipeline.gaps else StartedBy.SCHEDULE
        await count_anew(self._pipeline)
        job, place = self._new(
            removes_extra=bool(self._pipeline.gaps), started_by=started_by, job_id=record.snapshot_id
        )
        await self._log.begin(job, place, lease.generation)
        return job, place

    def _make_run(self, flow: JobFlow, job: Snapshot, place: dict[str, Any]) -> SnapshotRun:
        return SnapshotRun(self._pipeline, flow, job, place)

    def _enter(self, flow: JobFlow) -> None:
        flow.window.hold()
        self._pipeline.show_snapshotting(True)

    def _leave(self, flow: JobFlow) -> None:
        flow.window.release(self._clock.now())
        self._pipeline.gaps = flow.checkpoints.record.gaps

    def _note_end(self, job: Snapshot) -> None:
        """Not before: whoever waits for the state `running` finds it done, and the next one may begin."""
        self._pipeline.show_snapshotting(False)

    def _let_go(self, flow: JobFlow) -> None:
        super()._let_go(flow)
        self._pipeline.show_snapshotting(False)

    async def _refuse_cancel(self, job: Snapshot) -> None:
        if await self._is_needed(job):
            raise ConflictError(NEEDED.format(job.id))

    async def _is_needed(self, job: Snapshot) -> bool:
        """Without it the pipeline would call a replica whole that was never copied, or wait for good."""
        flow = self._pipeline.replicator
        with answering():
            control = self._pipeline.outside.adapters.control
            record = flow.checkpoints.record if flow is not None else await control.read_progress()
        is_needed = record is not None and record.needs_snapshot and record.snapshot_id in (None, job.id)
        return is_needed or job.id == self._wanted_to_mend()

    def _told(self, job: Snapshot) -> str:
        if job.state is JobState.RUNNING and not job.items_scanned:
            return f"about {job.items_estimated} items"
        return f"{job.items_scanned} items scanned, {job.items_written} written"
