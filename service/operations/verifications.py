"""Starts verifications, goes on with one after a restart, and shows them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from service.errors import HaltError, RetryableError
from service.operations.console import ConflictError, InvalidError, UnavailableNowError
from service.operations.endless_verification import (
    EndlessVerification,
    comparison,
    show_last,
    until_whole,
)
from service.operations.estimates import count_anew, items_estimated
from service.operations.job_log import JobLog
from service.operations.jobs import JobState, Verification
from service.operations.looks import FlowLooks
from service.operations.pipeline import Pipeline
from service.operations.report import Report
from service.operations.reshaping import note_reshaped, resumed
from service.operations.snapshot import Place
from service.operations.verification import VerificationRun
from service.ports import Adapters
from service.replication.fingerprint import shape_fingerprint
from service.replication.replicator import Replicator
from service.telemetry import JobChanged, Observer

KIND = "verification"
LOOKED_AT_AFTER_RESTART = 20
"""Of the newest jobs: for the last one of all keys, which the status shows."""


class Verifications:
    """One verification at a time; its document in the control table says that it runs, and where.

    It waits for a snapshot that runs. Its result is the status's last verification, unless it was a sample. The
    endless one, if it is wanted, runs beside.
    """

    def __init__(self, *, pipeline: Pipeline, adapters: Adapters, observer: Observer, report: Report) -> None:
        self._pipeline = pipeline
        self._control = adapters.control
        self._observer = observer
        self._report = report
        self._log = JobLog(KIND, Verification, adapters.control, adapters.clock)
        self._run: VerificationRun | None = None
        self._is_starting = False
        self.has_looked = asyncio.Event()
        """The running flow knows whether a verification goes on: one that is started before would be a second run."""
        pipeline.on_flow_started.append(self._go_on)
        if pipeline.settings.verify_items_per_second:
            EndlessVerification(pipeline=pipeline, adapters=adapters, observer=observer, report=report)

    async def newest(self) -> list[Verification]:
        return [self._current(job) for job in await self._log.newest()]

    async def found(self, job_id: str) -> Verification:
        if self._run is not None and self._run.job.id == job_id:
            return self._run.shown()  # known here, also while the control table is silent
        return await self._log.found(job_id)

    def _current(self, job: Verification) -> Verification:
        """The running job as it is now, rather than as it was last saved."""
        return self._run.shown() if self._run is not None and self._run.job.id == job.id else job

    async def start(self, flow: Replicator, *, repair: bool = False, sample: float | None = None) -> Verification:
        """Raises ConflictError while one runs, InvalidError, UnavailableNowError."""
        if sample is not None and not 0 < sample <= 1:
            raise InvalidError("`sample` is a fraction of the keys: above 0, at most 1")
        await self.has_looked.wait()
        if self._run is not None:
            raise ConflictError(f"the verification {self._run.job.id} runs already")
        if self._is_starting:
            raise ConflictError("another verification is being started")
        self._is_starting = True
        await count_anew(self._pipeline)
        shape = shape_fingerprint(self._pipeline.settings) if repair and sample is None else None
        job, place = self._new(repair=repair, sample=sample), Place({"shape_fingerprint": shape}).saved()
        try:
            await self._log.save(job, place)
            self._start(flow, job, place)
        except RetryableError as error:
            raise UnavailableNowError(f"{error}; try again") from error
        finally:
            self._is_starting = False
        return job

    def _new(self, *, repair: bool, sample: float | None) -> Verification:
        return Verification(
            id=self._log.new_id(),
            state=JobState.RUNNING,
            started_at=self._log.now(),
            repair=repair,
            sample=sample,
            items_estimated=items_estimated(self._pipeline),
        )

    def _go_on(self, flow: Replicator) -> None:
        """A new flow: a verification that was under way goes on beside it."""
        self.has_looked.clear()
        flow.start_early(self._resume(flow), "unfinished verification")

    async def _resume(self, flow: Replicator) -> None:
        try:
            unfinished = await flow.requests.read(self._log.unfinished, "control")
            if unfinished is not None:
                self._start(flow, *unfinished)
        finally:
            self.has_looked.set()
        newest = await flow.requests.read(lambda: self._control.list_jobs(KIND, LOOKED_AT_AFTER_RESTART), "control")
        for entry in newest:
            show_last(self._report, Verification.model_validate(entry["document"]))

    def _start(self, flow: Replicator, job: Verification, place: dict[str, Any]) -> None:
        adapters = self._pipeline.outside.adapters
        compares = comparison(self._pipeline, flow)
        looks = FlowLooks(flow, adapters.clock, compares)
        place = resumed(place, self._pipeline.settings)
        run = VerificationRun(job=job, place=place, adapters=adapters, looks=looks, comparison=compares)
        if flow.start_job(self._carry(flow, run, looks), f"verification {job.id}"):
            self._run = run
            self._observer.observe(JobChanged(KIND, job.id, job.state, "with repair" if job.repair else "look only"))

    async def _carry(self, flow: Replicator, run: VerificationRun, looks: FlowLooks) -> None:
        """See a run to its end, and save what it found. A cancelled one is left as it is: a restart goes on."""
        try:
            with looks:
                ended = await self._ended(run)
            _, place = run.saved()
            if ended.state is JobState.DONE:
                await note_reshaped(flow, place["shape_fingerprint"], self._observer)
            await flow.requests.read(lambda: self._log.save(ended, place), "control")
        finally:
            self._run = None
        show_last(self._report, ended)
        self._observer.observe(JobChanged(KIND, ended.id, ended.state, told(ended)))

    async def _ended(self, run: VerificationRun) -> Verification:
        async def save() -> None:
            with contextlib.suppress(RetryableError):  # the next save has it
                await self._log.save(*run.saved())

        try:
            await until_whole(self._pipeline, self._pipeline.outside.adapters)
            return await run.run(save)
        except HaltError as error:
            return run.ended(JobState.FAILED, str(error))


def told(job: Verification) -> str:
    """What a verification found, for a person."""
    return (
        f"{job.items_compared} items compared: {job.missing} missing, {job.extra} extra, {job.different} different, "
        f"{job.repaired} repaired"
    )
