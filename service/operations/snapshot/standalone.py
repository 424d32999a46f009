"""A snapshot by a process of its own, while nobody else replicates: the whole pipeline, until the snapshot is done.

So the copy stands beside a live stream here as in the service. A crash, or a stop, costs the pages since the last
save: whoever replicates next, this command or the service, goes on with the snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from service.errors import HaltError
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.documents.jobs import JobState, Snapshot
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots

LOOK_EVERY_SECONDS = 0.2
MENDING_LOOKS = 10
"""A pipeline that may mend leaves the state `failed` within so many looks, if it can."""


async def snapshot_standalone(
    pipeline: Pipeline, snapshots: Snapshots, on_progress: Callable[[Snapshot], None] = lambda job: None
) -> Snapshot:
    """Run the pipeline until one snapshot is done, and stop it in order; returns the finished job.

    Goes on with one that is under way. Mends a gap, as POST /snapshot does. Raises ConflictError when another process
    replicates or the pipeline is paused, HaltError when a person must act. Cancelled, it stops in order too.
    """
    running = asyncio.create_task(pipeline.run(), name="pipeline")
    copying = asyncio.create_task(_copy(pipeline, snapshots, on_progress), name="snapshot")
    try:
        await asyncio.wait((running, copying), return_when=asyncio.FIRST_COMPLETED)
        if copying.done():
            return await copying
        await running
        raise HaltError("the pipeline stopped before the snapshot was done")
    finally:
        copying.cancel()
        pipeline.stop()
        await asyncio.gather(running, copying, return_exceptions=True)


async def _copy(pipeline: Pipeline, snapshots: Snapshots, on_progress: Callable[[Snapshot], None]) -> Snapshot:
    finished = {job.id for job in await snapshots.newest() if job.state is not JobState.RUNNING}
    await _until_it_leads(pipeline)
    job = await _begun(pipeline, snapshots, finished)
    while job.state is JobState.RUNNING:
        on_progress(job)
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        _check(pipeline)
        with contextlib.suppress(UnavailableNowError):  # the next look sees it
            job = await snapshots.found(job.id)
    on_progress(job)
    return job


async def _until_it_leads(pipeline: Pipeline) -> None:
    """A lease that a dead process left behind runs out meanwhile."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + 2 * pipeline.settings.lease_seconds
    while pipeline.state in (PipelineState.STARTING, PipelineState.STANDBY):
        if pipeline.state is PipelineState.STANDBY and loop.time() > give_up_at:
            raise ConflictError(
                "another process replicates this pipeline, and only that one may write: let it do the snapshot "
                "(dynamirror snapshot --url URL), or stop it first"
            )
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _begun(pipeline: Pipeline, snapshots: Snapshots, finished: set[str]) -> Snapshot:
    """The snapshot that the pipeline does of itself, since it needs one or goes on with one; else a new one."""
    if pipeline.state is PipelineState.FAILED and not pipeline.gaps:
        raise HaltError(pipeline.reason or "the pipeline has failed")
    if pipeline.is_paused:
        raise ConflictError("the pipeline is paused, so that nothing may write: resume it first")
    if pipeline.replicator is not None:
        await snapshots.has_looked.wait()
        own = [job for job in await snapshots.newest() if job.id not in finished]
        if own:
            return own[0]
    job = await snapshots.start(pipeline)
    for _ in range(MENDING_LOOKS):
        if pipeline.state is not PipelineState.FAILED:
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return job


def _check(pipeline: Pipeline) -> None:
    """Raises HaltError, ConflictError when the snapshot can't go on in this process."""
    if pipeline.state is PipelineState.FAILED:
        raise HaltError(pipeline.reason or "the pipeline has failed")
    if pipeline.state is PipelineState.STANDBY:
        raise ConflictError("another process has taken the pipeline over, and goes on with the snapshot")
    if pipeline.is_paused:
        raise ConflictError("the pipeline was paused; the snapshot goes on when it is resumed")
