"""Jobs in a pipeline that has failed: shown as interrupted, and every one ends or goes on when that is mended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import HaltError, UnavailableError
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.kinds_of_jobs import KINDS, Kind, console, ended, filled, quick, running, slow_world
from tests.support.numbered_items import item
from tests.support.parked_items import kept, refusing
from tests.unit.operations.pipeline.test_healing import SnapshottingService, lose_stream

REDRIVE = Kind(
    "redrive",
    lambda shown: shown.redrive(None),
    lambda shown, job_id: shown.cancel_job("redrive", job_id),
    lambda service: service.letters.redrives,
    "control.list_dead_letters",
)
EVERY = pytest.mark.parametrize("kind", [*KINDS, REDRIVE], ids=lambda kind: kind.name)
ENDS_WITH_THE_HISTORY = {"snapshot", "replay"}
"""Its copy may be stale, or its stream is gone."""


async def begun(service: Service, kind: Kind) -> str:
    """A job that is in the middle of its work, and stays there for as long as the world is slow."""
    await filled(service)
    service.world.source.scan_seconds = service.world.replica.scan_seconds = 10.0
    if kind is REDRIVE:
        service.world.replica.poison = refusing(b"key9999")
        service.world.source.put(item(9999))
        await until(lambda: kept(service.world) == 1)
        service.world.replica.poison = lambda write: None
        service.world.plan.fail_next("control.get_dead_letter", UnavailableError("away"), times=10**6)
    asking = asyncio.create_task(kind.start(console(service)))
    await asyncio.sleep(2)
    (job_id,) = running(service.world, kind)
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    return job_id


async def until_failed(service: Service) -> None:
    async with asyncio.timeout(60):
        await until(lambda: service.pipeline.state is PipelineState.FAILED)


async def shown(service: Service, kind: Kind, job_id: str) -> Any:
    """The same in the list and alone."""
    found = await kind.runner(service).found(job_id)
    (listed,) = [each for each in await kind.runner(service).newest() if each.id == job_id]
    assert (listed.state, listed.error) == (found.state, found.error)
    return found


def let_go(world: World) -> None:
    """What held the jobs up is over."""
    quick(world)
    world.plan._scripted.pop("control.get_dead_letter", None)


@EVERY
async def test_one_in_a_pipeline_that_has_failed_says_why_it_does_not_go_on_and_goes_on_after_the_restart(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        job_id = await begun(service, kind)
        assert (await shown(service, kind, job_id)).error is None
        world.plan.fail_next("control.save_progress", HaltError("an answer that nobody foresaw"))
        world.source.put(item(1, "9"))
        await until_failed(service)
        held_up = await shown(service, kind, job_id)
        assert held_up.state is JobState.RUNNING
        assert "interrupted" in held_up.error
        assert "an answer that nobody foresaw" in held_up.error
        if kind is not KINDS[0]:  # a snapshot is the way out
            with pytest.raises(ConflictError, match="has failed"):
                await kind.start(console(service))
    let_go(world)
    async with Service(world, queue_max_records=20) as second:
        await second.flow()
        done = await ended(second, kind, job_id)
        assert (done.state, done.error) == (JobState.DONE, None)
        assert running(world, kind) == []


@EVERY
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_one_whose_pipeline_lost_its_history_ends_once_that_is_mended(kind: Kind, is_restarted: bool):
    world = slow_world()
    service = await SnapshottingService(world, queue_max_records=20).open()
    job_id = await begun(service, kind)
    lose_stream(world)
    await until_failed(service)
    if is_restarted:
        await service.die()
        service = await SnapshottingService(world, queue_max_records=20).open()
        await until_failed(service)
    held_up = await shown(service, kind, job_id)
    assert (held_up.state, "interrupted" in held_up.error) == (JobState.RUNNING, True)
    let_go(world)
    mending = await console(service).snapshot()
    assert (await console(service).find_job("snapshot", mending.id)).error is None
    over = await ended(service, kind, job_id)
    wanted = JobState.FAILED if kind.name in ENDS_WITH_THE_HISTORY else JobState.DONE
    assert over.state is wanted, over.error
    assert (await ended(service, KINDS[0], mending.id)).state is JobState.DONE
    assert running(world, kind) == running(world, KINDS[0]) == []
    service.pipeline.stop()
    await service.running


@EVERY
async def test_one_in_a_pipeline_that_has_failed_is_cancelled_for_good(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        job_id = await begun(service, kind)
        world.plan.fail_next("control.save_progress", HaltError("an answer that nobody foresaw"))
        world.source.put(item(1, "9"))
        await until_failed(service)
        cancelled = await kind.cancel(console(service), job_id)
        assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, None)
        assert await shown(service, kind, job_id) == cancelled
    let_go(world)
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        assert await kind.runner(second).found(job_id) == cancelled
        assert running(world, kind) == []
