"""Starts verifications, goes on with one after a restart, cancels and shows them."""

from __future__ import annotations

from typing import Any

from service.errors import HaltError
from service.operations.console import InvalidError
from service.operations.documents.jobs import JobState, Verification
from service.operations.jobs.estimates import items_to_verify
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.jobs.scan_position import ScanPosition
from service.operations.pipeline.pipeline import Pipeline
from service.operations.pipeline.reshaping import SHAPE
from service.operations.status.status_report import Report
from service.operations.verification.beside_flow import VerificationBesideFlow
from service.operations.verification.continuous import EndlessVerification, show_last
from service.pipeline_state import Lease
from service.replication.job_flow import JobFlow
from service.replication.writing.fingerprint import shape_fingerprint

KIND = "verification"
LOOKED_AT_AFTER_RESTART = 20
"""Of the newest jobs: for the last one of all keys, which the status shows."""


class Verifications(JobRunner[Verification]):
    """One verification at a time.

    It waits for a snapshot that runs. Its result is the status's last verification, unless it was a sample. The
    endless one, if it is wanted, runs beside.
    """

    kind = KIND
    model = Verification
    failures = (HaltError,)

    def __init__(self, pipeline: Pipeline, report: Report | None) -> None:
        super().__init__(pipeline)
        self._report = report
        if pipeline.settings.verify_items_per_second:
            EndlessVerification(pipeline, report)

    async def start(self, flow: JobFlow, *, repair: bool = False, sample: float | None = None) -> Verification:
        """Raises ConflictError while one runs, InvalidError, UnavailableNowError."""
        if sample is not None and not 0 < sample <= 1:
            raise InvalidError("`sample` is a fraction of the keys: above 0, at most 1")

        async def make() -> Unfinished[Verification]:
            estimated = await items_to_verify(self._pipeline)
            shape = shape_fingerprint(self._pipeline.settings) if sample is None else None
            job = self._log.begun(repair=repair, sample=sample, items_estimated=estimated)
            return job, ScanPosition({SHAPE: shape}).saved()

        job, _ = await self._start(flow, make)
        return job

    async def _resume(self, flow: JobFlow, lease: Lease) -> None:
        await super()._resume(flow, lease)
        newest = await flow.requests.read(
            lambda: self._pipeline.outside.adapters.control.list_jobs(self.kind, LOOKED_AT_AFTER_RESTART), "control"
        )
        for entry in newest:
            show_last(self._report, Verification.model_validate(entry["document"]))

    def _make_run(self, flow: JobFlow, job: Verification, place: dict[str, Any]) -> VerificationBesideFlow:
        return VerificationBesideFlow(self._pipeline, flow, job, place)

    def _note_end(self, job: Verification) -> None:
        show_last(self._report, job)

    def _told(self, job: Verification) -> str:
        if job.state is JobState.RUNNING and not job.items_compared:
            return "with repair" if job.repair else "look only"
        return (
            f"{job.items_compared} items compared: {job.missing} missing, {job.extra} extra, "
            f"{job.different} different, {job.repaired} repaired"
        )
