"""One job's work beside one flow: how fast it gets on, and whoever waits for its end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Generic, Protocol

from service.operations.console import ConflictError
from service.operations.job_store import AJob
from service.ports import Clock

WINDOW_SECONDS = 10.0
"""The rate is over so long at least, where there was a look before it; else since the job was begun or taken up."""
LEAST_SECONDS = 1.0


class Pace:
    """One for a run. A count that stands still for the window, as in a pause, leaves no time to be told."""

    def __init__(self, clock: Clock, done: int) -> None:
        self._clock = clock
        self._looks = deque([(clock.monotonic(), done)])

    def told(self, done: int, expected: int | None) -> dict[str, float | None]:
        """`per_second` and `seconds_left`."""
        now = self._clock.monotonic()
        if now - self._looks[-1][0] >= LEAST_SECONDS:
            self._looks.append((now, done))
        while len(self._looks) > 1 and now - self._looks[1][0] >= WINDOW_SECONDS:
            self._looks.popleft()
        began_at, before = self._looks[0]
        if now - began_at < LEAST_SECONDS:
            return {"per_second": None, "seconds_left": None}
        rate = max(0, done - before) / (now - began_at)
        left = (expected - done) / rate if expected is not None and expected > done and rate else None
        return {"per_second": rate, "seconds_left": left}


class Run(Protocol[AJob]):
    """What a kind of job does. `run` is called once."""

    job: AJob

    def shown(self) -> AJob:
        """The job as it is now."""

    def saved(self) -> tuple[AJob, dict[str, Any]]:
        """The counts that belong to the place, and the place: from where a restart goes on."""

    async def run(self) -> None:
        """To the end. Raises what the job fails by, or what ends the flow."""


class UnderWay(Generic[AJob]):
    """A run that its flow carries on."""

    def __init__(self, run: Run[AJob], clock: Clock) -> None:
        self.run = run
        self._pace = Pace(clock, run.job.done)
        self.work: asyncio.Task[None] | None = None
        self.is_cancelled = False
        self.over: asyncio.Future[AJob] = asyncio.get_running_loop().create_future()
        """The job as it ended; cancelled when its flow ended before it."""

    def shown(self) -> AJob:
        """The job as it is now, with its rate and the time that is left."""
        job = self.run.shown()
        return job.model_copy(update=self._pace.told(job.done, job.expected))

    def cancel(self) -> None:
        self.is_cancelled = True
        if self.work is not None:
            self.work.cancel()

    @property
    def was_cancelled(self) -> bool:
        """Before it was done; told once the work is over."""
        return self.work is None or self.work.cancelled()

    async def ended(self) -> AJob:
        """Raises ConflictError when the flow ends first."""
        await asyncio.wait([self.over])
        if self.over.cancelled():
            raise ConflictError("the pipeline stopped meanwhile: ask again when it runs")
        return self.over.result()
