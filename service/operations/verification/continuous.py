"""The slow verification without end, so that the replica's health is always known.

`DYNAMIRROR_VERIFY_ITEMS_PER_SECOND` starts it. One pass follows the other, at that rate. Where a pass stands, and what
the last one found, are kept in the control table: a restart goes on with the pass, and shows the last result at once.
"""

from __future__ import annotations

import contextlib
from typing import Any

from service.errors import HaltError, RetryableError
from service.events import Warned
from service.operations.documents.jobs import JobState, StartedBy, Verification
from service.operations.job_store import JobDocuments
from service.operations.jobs.estimates import items_to_verify
from service.operations.pipeline.pipeline import Pipeline
from service.operations.pipeline.reshaping import SHAPE
from service.operations.status.status_report import Report
from service.operations.verification.beside_flow import VerificationBesideFlow
from service.replication.job_flow import JobFlow
from service.replication.writing.fingerprint import shape_fingerprint

KIND = "endless-verification"
CURRENT, LAST = "current", "last"
PASS_AT_LEAST_SECONDS = 10.0
"""A pass over a small table ends at once; so often, at the most, a new one begins."""
SAVE_EVERY_SECONDS = 10.0


def show_last(report: Report | None, job: Verification) -> None:
    """A verification of all keys is the status's last one, unless it has a later one already, or there is no status."""
    if report is None or job.state is not JobState.DONE or job.sample is not None or job.finished_at is None:
        return
    shown = report.last_verification
    if shown is None or shown.finished_at is None or shown.finished_at < job.finished_at:
        report.last_verification = job


class EndlessVerification:
    """Runs with each flow, for as long as the flow does."""

    def __init__(self, pipeline: Pipeline, report: Report | None) -> None:
        adapters = pipeline.outside.adapters
        self._pipeline = pipeline
        self._control = adapters.control
        self._clock = adapters.clock
        self._report = report
        self._log = JobDocuments(KIND, Verification, adapters.control, adapters.clock)
        pipeline.on_flow_started.append(self._begin)

    def _begin(self, flow: JobFlow) -> None:
        flow.start_early(self._verify_without_end(flow), "endless verification")

    async def _verify_without_end(self, flow: JobFlow) -> None:
        last = await self._stored(flow, LAST)
        if last is not None:
            show_last(self._report, last[0])
        unfinished = await self._stored(flow, CURRENT)
        if unfinished is not None and unfinished[0].state is not JobState.RUNNING:
            unfinished = None
        while True:
            started = self._clock.monotonic()
            job, place = unfinished or await self._new()
            unfinished = None
            try:
                await self._pass(flow, job, place)
            except HaltError as error:
                self._pipeline.observer.observe(Warned("endless verification", f"a pass was given up: {error}"))
            await self._clock.sleep(max(0.0, started + PASS_AT_LEAST_SECONDS - self._clock.monotonic()))

    async def _new(self) -> tuple[Verification, dict[str, Any]]:
        estimated = await items_to_verify(self._pipeline)
        place = {"segments": 1, SHAPE: shape_fingerprint(self._pipeline.settings)}
        return self._log.begun(started_by=StartedBy.SCHEDULE, items_estimated=estimated), place

    async def _pass(self, flow: JobFlow, job: Verification, place: dict[str, Any]) -> None:
        rate = self._pipeline.settings.verify_items_per_second
        run = VerificationBesideFlow(self._pipeline, flow, job, place, items_per_second=rate)

        async def save_periodically() -> None:
            while True:
                await self._clock.sleep(SAVE_EVERY_SECONDS)
                with contextlib.suppress(RetryableError):  # the next save has it
                    await self._put(CURRENT, *run.saved())

        await run.run(save_periodically)
        ended = self._log.ended(run.shown(), JobState.DONE)
        show_last(self._report, ended)
        # The result before the pass's end: a crash between them repeats the pass.
        await flow.requests.read(lambda: self._put(LAST, ended, {}), "control")
        await flow.requests.read(lambda: self._put(CURRENT, ended, {}), "control")

    async def _put(self, name: str, job: Verification, place: dict[str, Any]) -> None:
        await self._control.put_job(KIND, name, {"document": job.model_dump(mode="json"), "place": place})

    async def _stored(self, flow: JobFlow, name: str) -> tuple[Verification, dict[str, Any]] | None:
        """What was saved under that name, if anything was."""
        stored = await flow.requests.read(lambda: self._control.get_job(KIND, name), "control")
        return None if stored is None else (Verification.model_validate(stored["document"]), stored["place"])
