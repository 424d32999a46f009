"""Starts redrives of dead letters, goes on with one after a restart, cancels and shows them.

Each letter stays until it is written or superseded, so that a redrive that ends early, by a stop or a crash, loses
nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from service.errors import HaltError
from service.operations.console import ConflictError, OperationError
from service.operations.documents.jobs import JobState, RedriveFailure, Redriving
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.pipeline.pipeline import Pipeline
from service.replication.job_flow import JobFlow

REDRIVEN, SUPERSEDED, FAILED = COUNTED = Redriving.counted
FAILURES_TOLD, MAX_ERROR = 100, 200
"""Of so many the job tells the error, in so many characters: it is one item of the control table."""
ANSWERED_WITHIN_SECONDS = 10.0
"""Whoever asks for a redrive waits so long for its counts, and is answered with the running job after that."""


class RedriveRun:
    """`place` holds `ids`, the letters that are left, in order; None: those after `cursor`, failed by `began_at`."""

    def __init__(self, job: Redriving, flow: JobFlow, place: dict[str, Any], work: Work) -> None:
        self.job = job
        self.flow = flow
        self.place = place
        self.counts = Counter({name: getattr(job, name) for name in COUNTED})
        self._failures = list(job.failures)
        self._work = work
        self._at_place = self.shown()

    def shown(self) -> Redriving:
        counts = {name: self.counts[name] for name in COUNTED}
        return self.job.model_copy(update={**counts, "failures": list(self._failures)})

    def saved(self) -> tuple[Redriving, dict[str, Any]]:
        """What a killed process has written since its last move is done already, and is not counted by the next one."""
        return self._at_place, self.place

    def fail(self, letter_id: str, error: str) -> None:
        """It stays a dead letter."""
        self.counts[FAILED] += 1
        if len(self._failures) < FAILURES_TOLD:
            self._failures.append(RedriveFailure(id=letter_id, error=error[:MAX_ERROR]))

    def move(self, **place: Any) -> None:
        """What is before this place is done."""
        self.place = self.place | place
        self._at_place = self.shown()

    async def run(self) -> None:
        await self._work(self)


Work = Callable[[RedriveRun], Awaitable[None]]
"""Redrives the letters from the run's place on, counts what became of each, and moves the place."""


class Redrives(JobRunner[Redriving]):
    """One redrive at a time."""

    kind = "redrive"
    model = Redriving
    failures = (HaltError, OperationError)

    def __init__(self, pipeline: Pipeline, work: Work) -> None:
        super().__init__(pipeline)
        self._work = work

    async def start(self, flow: JobFlow, ids: Sequence[str] | None) -> Redriving:
        """The job as it ended; as it runs, if it takes longer than a moment. Whoever asked may go: the work goes on.

        Raises ConflictError while another redrive runs, and when this one fails or is cancelled; UnavailableNowError.
        """

        async def make() -> Unfinished[Redriving]:
            chosen = None if ids is None else sorted(set(ids))
            count = self._pipeline.letter_count.value if chosen is None else len(chosen)
            return self._log.begun(letters=count), {"ids": chosen, "cursor": None, "began_at": self._clock.now()}

        job, under_way = await self._start(flow, make)
        if under_way is None:
            return job
        await asyncio.wait([under_way.over], timeout=ANSWERED_WITHIN_SECONDS)
        if not under_way.over.done() or under_way.over.cancelled():
            return under_way.run.shown()
        ended = under_way.over.result()
        if ended.state is not JobState.DONE:
            raise ConflictError(f"not all was redriven: {ended.error or f'the redrive {ended.id} was cancelled'}")
        return ended

    def _make_run(self, flow: JobFlow, job: Redriving, place: dict[str, Any]) -> RedriveRun:
        return RedriveRun(job, flow, place, self._work)

    def _told(self, job: Redriving) -> str:
        return f"{job.redriven} redriven, {job.superseded} superseded, {job.failed} failed"
