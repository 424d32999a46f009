"""Redrives dead letters, one call at a time: the work goes on where whoever asked for it has gone.

Each letter stays until it is written or superseded, so that a redrive that is cut off, by a stop or a crash, loses
nothing: it ends as failed, and is asked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from service.control import Lease
from service.errors import HaltError
from service.operations.console import ConflictError, OperationError
from service.operations.job_runner import JobRunner, Unfinished
from service.operations.jobs import JobState, Redriving
from service.operations.pipeline import Pipeline
from service.ports import Adapters
from service.replication.replicator import Replicator
from service.telemetry import Observer

REDRIVEN, SUPERSEDED, FAILED = COUNTED = ("redriven", "superseded", "failed")
CUT_OFF = "the process that redrove stopped meanwhile: the letters that are left are kept, redrive again"

Work = Callable[[Replicator, Sequence[str] | None, Counter[str]], Awaitable[None]]
"""Redrives these letters, or all, and counts what came of each."""


class RedriveRun:
    def __init__(self, job: Redriving, flow: Replicator, place: dict[str, Any], work: Work) -> None:
        self.job = job
        self._flow = flow
        self._place = place
        self._work = work
        self._counts: Counter[str] = Counter()

    def shown(self) -> Redriving:
        return self.job.model_copy(update={name: self._counts[name] for name in COUNTED})

    def saved(self) -> tuple[Redriving, dict[str, Any]]:
        return self.shown(), self._place

    async def run(self) -> None:
        await self._work(self._flow, self._place["ids"], self._counts)


class Redrives(JobRunner[Redriving]):
    """One redrive at a time."""

    kind = "redrive"
    model = Redriving
    failures = (HaltError, OperationError)

    def __init__(self, *, pipeline: Pipeline, adapters: Adapters, observer: Observer, work: Work) -> None:
        super().__init__(pipeline=pipeline, adapters=adapters, observer=observer)
        self._work = work

    async def redrive(self, flow: Replicator, ids: Sequence[str] | None) -> dict[str, int]:
        """What came of each letter, once all is done. Whoever asked may go: the work goes on.

        Raises ConflictError while another redrive runs, and when the pipeline stops meanwhile; UnavailableNowError.
        """

        async def make() -> Unfinished[Redriving]:
            job = Redriving(id=self._log.new_id(), state=JobState.RUNNING, started_at=self._log.now())
            return job, {"ids": None if ids is None else list(ids)}

        _, under_way = await self._start(flow, make)
        if under_way is None:
            raise ConflictError("the pipeline is stopping: ask again when it runs")
        ended = await under_way.ended()
        if ended.state is not JobState.DONE:
            raise ConflictError(f"not all was redriven: {ended.error}")
        return {REDRIVEN: ended.redriven, SUPERSEDED: ended.superseded, FAILED: ended.failed}

    async def _taken_up(
        self, flow: Replicator, lease: Lease, unfinished: Unfinished[Redriving] | None
    ) -> Unfinished[Redriving] | None:
        if unfinished is not None:
            await self._end_unfinished(unfinished, lease, CUT_OFF)
        return None

    def _make_run(self, flow: Replicator, job: Redriving, place: dict[str, Any]) -> RedriveRun:
        return RedriveRun(job, flow, place, self._work)

    def _told(self, job: Redriving) -> str:
        return f"{job.redriven} redriven, {job.superseded} superseded, {job.failed} failed"
