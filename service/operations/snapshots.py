"""Starts snapshots, goes on with one after a restart, and shows them."""

from __future__ import annotations

import asyncio
from typing import Any

from service.control import PipelineRecord
from service.errors import RetryableError
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.job_log import JobLog
from service.operations.jobs import JobState, Snapshot
from service.operations.pipeline import Pipeline
from service.operations.reshaping import resumed
from service.operations.snapshot import Place, SnapshotRun
from service.operations.status import PipelineState
from service.ports import Adapters
from service.replication.fingerprint import shape_fingerprint
from service.replication.replicator import Replicator
from service.telemetry import JobChanged, Observer

OVERTAKEN = "history was lost while it ran: what it had copied may be stale, and a new snapshot copies everything"


class Snapshots:
    """One snapshot at a time; its document in the control table says that it runs, and where."""

    def __init__(self, *, pipeline: Pipeline, adapters: Adapters, observer: Observer) -> None:
        self._pipeline = pipeline
        self._observer = observer
        self._log = JobLog("snapshot", Snapshot, adapters.control, adapters.clock)
        self._run: SnapshotRun | None = None
        self.has_looked = asyncio.Event()
        """The running flow knows whether a snapshot goes on."""
        pipeline.on_flow_started.append(self._go_on)

    async def newest(self) -> list[Snapshot]:
        return [self._current(job) for job in await self._log.newest()]

    async def found(self, job_id: str) -> Snapshot:
        if self._run is not None and self._run.job.id == job_id:
            return self._run.shown()  # known here, also while the control table is silent
        return await self._log.found(job_id)

    def _current(self, job: Snapshot) -> Snapshot:
        """The running job as it is now, rather than as it was last saved."""
        return self._run.shown() if self._run is not None and self._run.job.id == job.id else job

    async def start(self, pipeline: Pipeline) -> Snapshot:
        """A new snapshot, or the way out of the state `failed`. Raises ConflictError while one runs."""
        if pipeline.replicator is not None:
            await self.has_looked.wait()  # else one that goes on after a restart would run twice
        if self._run is not None:
            raise ConflictError(f"the snapshot {self._run.job.id} runs already")
        flow = pipeline.replicator
        if flow is None and pipeline.state is not PipelineState.FAILED:
            raise ConflictError(f"this process does not replicate now (it is {pipeline.state}); ask the active one")
        if flow is None and pipeline.healing.refusal is not None:
            raise ConflictError(pipeline.healing.refusal)
        is_mending = flow is None
        try:
            job, place = await self._new(removes_extra=is_mending)
        except RetryableError as error:
            raise UnavailableNowError(f"{error}; try again") from error
        if flow is None:
            pipeline.mend(job.id)
        else:
            self._start(flow, job, place)
        return job

    async def _new(self, *, removes_extra: bool, job_id: str | None = None) -> tuple[Snapshot, dict[str, Any]]:
        estimated = self._pipeline.outside.source.item_count
        job = Snapshot(
            id=job_id or self._log.new_id(),
            state=JobState.RUNNING,
            started_at=self._log.now(),
            items_estimated=estimated,
        )
        shape = shape_fingerprint(self._pipeline.settings)
        place = Place({"removes_extra": removes_extra, "shape_fingerprint": shape}).saved()
        await self._log.save(job, place)
        return job, place

    def _go_on(self, flow: Replicator) -> None:
        """A new flow: a snapshot that the pipeline needs, or that was under way, runs beside it."""
        self._run = None
        self.has_looked.clear()
        flow.start_early(self._resume(flow), "snapshot")
        is_needed = flow.checkpoints.record.needs_snapshot
        self._pipeline.show_snapshotting(is_needed)  # a former flow may have ended before its snapshot had begun
        if is_needed:
            flow.window.hold()  # from before the first change is applied; the resumed run holds it for itself

    async def _resume(self, flow: Replicator) -> None:
        needed = flow.checkpoints.record.needs_snapshot
        try:
            unfinished = await flow.requests.read(lambda: self._wanted(flow.checkpoints.record), "control")
            if unfinished is not None and flow.window.is_shared and not self._pipeline.settings.skip_ttl_deletes:
                # Beside Lambda each copy is looked at again, lest it outlives a deletion that Lambda has applied
                # meanwhile. A process that died in between has left that to us.
                unfinished = unfinished[0], unfinished[1] | {"removes_extra": True}
            if unfinished is None and needed:
                removes_extra, job_id = bool(self._pipeline.gaps), flow.checkpoints.record.snapshot_id
                unfinished = await flow.requests.read(
                    lambda: self._new(removes_extra=removes_extra, job_id=job_id), "control"
                )
            if unfinished is not None:
                self._start(flow, *unfinished)
        finally:
            self.has_looked.set()
            if needed:
                flow.window.release(self._log.now().timestamp())

    async def _wanted(self, record: PipelineRecord) -> tuple[Snapshot, dict[str, Any]] | None:
        """The job to go on with. One that scanned before the saved start is never taken up: it ends as failed."""
        if not (record.needs_snapshot and record.snapshot_id):
            return await self._log.unfinished()
        await self._log.end_others(record.snapshot_id, OVERTAKEN)
        return await self._log.stored(record.snapshot_id)  # done already: only its end is repeated

    def _start(self, flow: Replicator, job: Snapshot, place: dict[str, Any]) -> None:
        run = SnapshotRun(
            job=job,
            place=resumed(place, self._pipeline.settings),
            log=self._log,
            flow=flow,
            adapters=self._pipeline.outside.adapters,
            observer=self._observer,
        )
        flow.window.hold()
        if not flow.start_job(self._carry(flow, run), f"snapshot {job.id}"):
            flow.window.release(self._log.now().timestamp())
            return
        self._run = run
        self._pipeline.show_snapshotting(True)
        self._observer.observe(JobChanged("snapshot", job.id, job.state, f"about {job.items_estimated} items"))

    async def _carry(self, flow: Replicator, run: SnapshotRun) -> None:
        try:
            await run.run()
            self._pipeline.gaps = flow.checkpoints.record.gaps
        finally:
            flow.window.release(self._log.now().timestamp())
            self._run = None
            self._pipeline.show_snapshotting(False)
