"""A snapshot or a repair by a process of its own, while nobody else replicates: the pipeline, until that job has ended.

So the job works beside a live stream here as in the service. A crash, or a stop, costs the work since the last save:
whoever replicates next, this command or the service, goes on with the job.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.errors import HaltError
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.documents.jobs import JobState, Snapshot, Verification
from service.operations.documents.status import PipelineState
from service.operations.job_store import AJob
from service.operations.jobs.runner import JobRunner
from service.operations.pipeline.ownership import flow_of
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from service.operations.verification.verifications import Verifications

Answer = TypeVar("Answer")
LOOK_EVERY_SECONDS = 0.2
MENDING_LOOKS = 10
"""A pipeline that may mend leaves the state `failed` within so many looks, if it can."""


async def snapshot_standalone(pipeline: Pipeline, on_progress: Callable[[Snapshot], None]) -> Snapshot:
    """Run the pipeline until one snapshot is done, and stop it in order; returns the finished job.

    Goes on with one that is under way. Mends a gap, as POST /snapshot does. Raises ConflictError when another process
    replicates or the pipeline is paused, HaltError when a person must act. Cancelled, it stops in order too.
    """
    snapshots = Snapshots(pipeline)
    work = Standalone(pipeline, snapshots, "snapshot", "snapshot", snapshots.start, mends_gaps=True)
    return await work.run(on_progress)


async def repair_standalone(
    pipeline: Pipeline, on_progress: Callable[[Verification], None], *, sample: float | None
) -> Verification:
    """The same with a verification that repairs. Another verification that is under way ends before it begins."""
    Snapshots(pipeline)  # a first start may need one before
    verifications = Verifications(pipeline, None)
    work = Standalone(
        pipeline,
        verifications,
        "repair",
        "verify --repair",
        lambda: verifications.start(flow_of(pipeline), repair=True, sample=sample),
        is_asked_for=lambda job: job.repair and job.sample == sample,
    )
    return await work.run(on_progress)


@dataclass(frozen=True)
class Standalone(Generic[AJob]):
    """Of one job."""

    pipeline: Pipeline
    jobs: JobRunner[AJob]
    name: str
    command: str
    """What a person types for it."""
    start: Callable[[], Awaitable[AJob]]
    is_asked_for: Callable[[AJob], bool] = lambda job: True
    mends_gaps: bool = False

    async def run(self, on_progress: Callable[[AJob], None]) -> AJob:
        pipeline = self.pipeline
        running = asyncio.create_task(pipeline.run(), name="pipeline")
        working = asyncio.create_task(self._work(on_progress), name=self.name)
        try:
            await asyncio.wait((running, working), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return await working
            await running
            raise HaltError(f"the pipeline stopped before the {self.name} was done")
        finally:
            working.cancel()
            pipeline.stop()
            await asyncio.gather(running, working, return_exceptions=True)

    async def _work(self, on_progress: Callable[[AJob], None]) -> AJob:
        before = {job.id for job in await _answered(self.jobs.newest) if job.state is not JobState.RUNNING}
        await self._until_it_leads()
        job = await self._under_way(before)
        if job is not None and not self.is_asked_for(job):
            await self._ended(job, lambda job: None)
            job = None
        job = await self._ended(job or await self._begun(), on_progress)
        if job.state is not JobState.DONE:
            raise HaltError(job.error or f"the {self.name} {job.id} ended as {job.state}")
        return job

    async def _until_it_leads(self) -> None:
        """A lease that a dead process left behind runs out meanwhile; one that is renewed is a living one's."""
        holder, first = self.pipeline.holder, None
        while self.pipeline.state in (PipelineState.STARTING, PipelineState.STANDBY):
            seen = holder.record
            if holder.lease is None and seen is not None and not seen.is_released:
                first = first or seen
                if (seen.generation, seen.renewals) != (first.generation, first.renewals):
                    raise ConflictError(
                        f"another process replicates this pipeline, and only that one may write: let it do the "
                        f"{self.name} (dynamirror {self.command} --url URL), or stop it first"
                    )
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _under_way(self, before: set[str]) -> AJob | None:
        """The job that the pipeline does of itself, since it needs one or goes on with one."""
        pipeline = self.pipeline
        if pipeline.state is PipelineState.FAILED and not (self.mends_gaps and pipeline.gaps):
            raise HaltError(pipeline.reason or "the pipeline has failed")
        if pipeline.is_paused:
            raise ConflictError("the pipeline is paused, so that nothing may write: resume it first")
        if pipeline.replicator is None:
            return None
        await self.jobs.has_looked.wait()
        return next((job for job in await _answered(self.jobs.newest) if job.id not in before), None)

    async def _begun(self) -> AJob:
        job = await _answered(self.start)
        for _ in range(MENDING_LOOKS):
            if self.pipeline.state is not PipelineState.FAILED:
                break
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        return job

    async def _ended(self, job: AJob, on_progress: Callable[[AJob], None]) -> AJob:
        while job.state is JobState.RUNNING:
            on_progress(job)
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            self._check()
            with contextlib.suppress(UnavailableNowError):  # the next look sees it
                job = await self.jobs.found(job.id)
        on_progress(job)
        return job

    def _check(self) -> None:
        """Raises HaltError, ConflictError when the job can't go on in this process."""
        if self.pipeline.state is PipelineState.FAILED:
            raise HaltError(self.pipeline.reason or "the pipeline has failed")
        if self.pipeline.state is PipelineState.STANDBY:
            raise ConflictError(f"another process has taken the pipeline over, and goes on with the {self.name}")
        if self.pipeline.is_paused:
            raise ConflictError(f"the pipeline was paused; the {self.name} goes on when it is resumed")


async def _answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Asked again while the control table does not answer."""
    while True:
        with contextlib.suppress(UnavailableNowError):
            return await ask()
        await asyncio.sleep(LOOK_EVERY_SECONDS)
