"""Snapshots that mend a gap, and until when the pipeline is snapshotting."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import UnavailableError
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState, StartedBy
from service.operations.documents.status import PipelineState
from tests.fakes.faults import Crash, Moment
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.kinds_of_jobs import KINDS, console, ended, filled, running, slow_world
from tests.support.numbered_items import item
from tests.unit.operations.pipeline.test_healing import SnapshottingService, lose_stream, until_healed


async def failed_service(world: World) -> SnapshottingService:
    """Its history is lost."""
    service = await SnapshottingService(world).open()  # type: ignore[assignment]
    assert isinstance(service, SnapshottingService)
    await service.flow()
    world.source.put(item(1))
    await service.until_caught_up()
    lose_stream(world)
    await until(lambda: service.pipeline.state is PipelineState.FAILED)
    return service


async def test_of_eight_that_mend_a_gap_at_the_same_moment_one_does_and_the_others_are_told():
    world = World()
    service = await failed_service(world)
    asked = [console(service).snapshot() for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    jobs = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(jobs) == 1
    assert all(isinstance(answer, ConflictError) for answer in answers if answer is not jobs[0])
    assert (await ended(service, KINDS[0], jobs[0].id)).state is JobState.DONE
    assert [job.id for job in await service.snapshots.newest()] == [jobs[0].id]
    service.pipeline.stop()
    await service.running


async def test_the_answer_of_a_snapshot_that_mends_says_that_the_replica_needs_it():
    service = await failed_service(World())
    assert (await console(service).snapshot()).needed
    await until(lambda: service.pipeline.state is PipelineState.RUNNING)
    assert not (await console(service).snapshot()).needed, "the replica is whole without this one"
    service.pipeline.stop()
    await service.running


async def test_a_snapshot_whose_turn_comes_when_the_gap_is_mended_does_not_begin_another():
    service = await failed_service(World())
    async with service.snapshots._turn:  # another call is at it
        asked = asyncio.create_task(console(service).snapshot())
        await asyncio.sleep(0)
        service.pipeline.healing.ask(None)
        await service.until_caught_up()
    with pytest.raises(ConflictError, match="mended the pipeline meanwhile"):
        await asked
    assert len(await service.snapshots.newest()) == 1
    service.pipeline.stop()
    await service.running


async def test_a_process_that_dies_before_it_mends_leaves_a_snapshot_that_the_next_one_replaces():
    world = World()
    service = await failed_service(world)
    world.plan.fail_next("control.begin_job", Crash("kill -9"), moment=Moment.AFTER)
    asking = asyncio.create_task(console(service).snapshot())
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    await until(lambda: service.process.is_dead)
    await service.die()
    asking.cancel()
    second = await SnapshottingService(world).open()
    await until(lambda: second.pipeline.state is PipelineState.FAILED)
    left = (await second.snapshots.newest())[0]
    job = await console(second).snapshot()
    assert job.id != left.id
    assert (await ended(second, KINDS[0], job.id)).state is JobState.DONE
    assert (await second.snapshots.found(left.id)).state is JobState.FAILED
    assert running(world, KINDS[0]) == []
    second.pipeline.stop()
    await second.running


async def test_a_heal_is_told_from_what_somebody_asked_for():
    world = World()
    async with SnapshottingService(world, on_gap="snapshot") as service:
        await service.flow()
        world.source.put(item(1))
        await service.until_caught_up()
        lose_stream(world)
        await until_healed(service)
        assert [job.started_by for job in await service.snapshots.newest()] == [StartedBy.GAP]


@pytest.mark.parametrize("call", ["control.save_job", "control.file_job"])
async def test_the_pipeline_is_snapshotting_until_the_end_of_its_snapshot_is_saved(call: str) -> None:
    """Whoever waited for the state `running` finds the snapshot done, and may ask for the next job."""
    world = World()
    world.source.preset(*[item(number) for number in range(6)])
    async with SnapshottingService(world, start_at="snapshot") as running:
        world.plan.fail_next(call, UnavailableError("later"), times=3)
        await until(lambda: running.pipeline.state is PipelineState.RUNNING)
        assert [job.state for job in await running.snapshots.newest()] == [JobState.DONE]
        assert (await running.snapshots.start()).state is JobState.RUNNING
        assert running.pipeline.state is PipelineState.SNAPSHOTTING


async def test_a_process_that_stops_in_the_middle_of_a_snapshot_is_not_snapshotting_any_more() -> None:
    world = slow_world()
    async with Service(world, start_at="trim_horizon") as service:
        await filled(service)
        await service.snapshots.start()
        assert service.pipeline.is_snapshotting
    assert not service.pipeline.is_snapshotting
