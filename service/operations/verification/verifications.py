"""Starts verifications, goes on with one after a restart, cancels and shows them."""

from __future__ import annotations

from typing import Any

from service.errors import HaltError
from service.operations.console import InvalidError
from service.operations.documents.jobs import JobState, Verification
from service.operations.jobs.estimates import count_anew, items_estimated
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.jobs.scan_position import ScanPosition
from service.operations.jobs.scan_turns import ScanTurns
from service.operations.pipeline.pipeline import Pipeline
from service.operations.pipeline.reshaping import SHAPE, note_reshaped, resumed
from service.operations.verification.continuous import (
    EndlessVerification,
    Showing,
    comparison,
    show_last,
    until_whole,
)
from service.operations.verification.observer import FlowLooks
from service.operations.verification.run import VerificationRun
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

    def __init__(self, pipeline: Pipeline, report: Showing) -> None:
        super().__init__(pipeline)
        self._report = report
        if pipeline.settings.verify_items_per_second:
            EndlessVerification(pipeline, report)

    async def start(self, flow: JobFlow, *, repair: bool = False, sample: float | None = None) -> Verification:
        """Raises ConflictError while one runs, InvalidError, UnavailableNowError."""
        if sample is not None and not 0 < sample <= 1:
            raise InvalidError("`sample` is a fraction of the keys: above 0, at most 1")

        async def make() -> Unfinished[Verification]:
            await count_anew(self._pipeline)
            shape = shape_fingerprint(self._pipeline.settings) if sample is None else None
            estimated = items_estimated(self._pipeline)
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
        return VerificationBesideFlow(self._pipeline, flow, job, resumed(place, self._pipeline.settings))

    def _note_end(self, job: Verification) -> None:
        show_last(self._report, job)

    def _told(self, job: Verification) -> str:
        if job.state is JobState.RUNNING and not job.items_compared:
            return "with repair" if job.repair else "look only"
        return told(job)


class VerificationBesideFlow:
    """One verification's work in one tenure of the lease."""

    def __init__(self, pipeline: Pipeline, flow: JobFlow, job: Verification, place: dict[str, Any]) -> None:
        self.job = job
        self._pipeline = pipeline
        self._adapters = pipeline.outside.adapters
        self._flow = flow
        compares = comparison(pipeline, flow)
        self._looks = FlowLooks(flow, compares)
        self._turns = ScanTurns(pipeline.allowance.scans, self._adapters.clock)
        self._run = VerificationRun(
            job=job,
            place=place,
            adapters=self._adapters,
            looks=self._looks,
            comparison=compares,
            until_turn=self._turns.wait,
        )
        self.shown = self._run.shown
        self.saved = self._run.saved

    async def run(self) -> None:
        """Raises LeaseLostError, HaltError."""
        with self._looks:
            await until_whole(self._pipeline, self._adapters)
            async with self._turns.taken():
                await self._run.run()
        found, place = self.saved()
        if found.repair or found.is_equal:
            await note_reshaped(self._flow, place[SHAPE], self._pipeline.observer)


def told(job: Verification) -> str:
    """What a verification found, for a person."""
    return (
        f"{job.items_compared} items compared: {job.missing} missing, {job.extra} extra, {job.different} different, "
        f"{job.repaired} repaired"
    )
