"""One job's work beside one flow, and whoever waits for its end."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, Protocol

from service.operations.console import ConflictError
from service.operations.job_store import AJob
from service.operations.jobs.pace import Pace
from service.ports import Clock


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
        self.has_left = False
        """Its kind was told that the run is over."""
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
