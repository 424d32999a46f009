"""Jobs of every kind: asked for twice, killed, cancelled, paused, left by another process or an earlier version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.errors import AmbiguousError, UnavailableError
from service.operations.console import ConflictError, NotFoundError, UnavailableNowError
from service.operations.documents.jobs import JobState, StartedBy
from service.operations.documents.status import PipelineState
from service.operations.job_store import SURPLUS
from service.operations.jobs.runner import JobRunner
from service.operations.live_console import LiveConsole
from service.operations.pipeline.pause import Pause
from tests.fakes.faults import Crash, Moment
from tests.fakes.service import Service, answered, until
from tests.fakes.world import World
from tests.support.invariants import check_all, check_never_back
from tests.unit.operations.pipeline.test_healing import SnapshottingService, lose_stream, until_healed
from tests.unit.operations.verification.test_verifications import item, key

ITEMS = 400


def console(service: Service) -> LiveConsole:
    return LiveConsole(
        pipeline=service.pipeline,
        settings=service.settings,
        report=service.report,
        clock=service.process.clock,
        pausing=Pause(service.pipeline, service.adapters),
        letters=service.letters,
        snapshots=service.snapshots,
        verifications=service.verifications,
        replays=service.replays,
    )


@dataclass(frozen=True)
class Kind:
    name: str
    start: Callable[[LiveConsole], Awaitable[Any]]
    cancel: Callable[[LiveConsole, str], Awaitable[Any]]
    runner: Callable[[Service], JobRunner[Any]]
    reads: str
    """The call that it makes again and again."""


KINDS = [
    Kind(
        "snapshot",
        lambda shown: shown.snapshot(),
        lambda shown, job_id: shown.cancel_snapshot(job_id),
        lambda service: service.snapshots,
        "source.scan",
    ),
    Kind(
        "verification",
        lambda shown: shown.verify(repair=True),
        lambda shown, job_id: shown.cancel_verification(job_id),
        lambda service: service.verifications,
        "source.scan",
    ),
    Kind(
        "replay",
        lambda shown: shown.replay(from_="trim_horizon"),
        lambda shown, job_id: shown.cancel_replay(job_id),
        lambda service: service.replays,
        "streams.read",
    ),
]
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def slow_world() -> World:
    """A job takes some seconds, and then finds every item missing."""
    world = World()
    world.source.page_bytes = world.replica.page_bytes = 500
    return world


async def filled(service: Service) -> None:
    """Replicated, then lost in the replica; from now on every read takes a while."""
    world = service.world
    await service.flow()
    for number in range(ITEMS):
        world.source.put(item(number))
    await service.until_caught_up()
    await until(lambda: len(world.replica.items) == ITEMS)
    for number in range(ITEMS):
        world.replica.lose(key(number))
    world.source.scan_seconds = world.replica.scan_seconds = 0.5
    world.source.stream.timing.empty_pages = 0.9


def quick(world: World) -> None:
    world.source.scan_seconds = world.replica.scan_seconds = 0.0
    world.source.stream.timing.empty_pages = 0.0


async def ended(service: Service, kind: Kind, job_id: str) -> Any:
    while True:
        assert not service.running.done(), "the service has ended"
        job = await answered(lambda: kind.runner(service).found(job_id))
        if job.state is not JobState.RUNNING:
            return job
        await asyncio.sleep(0.2)


def running(world: World, kind: Kind) -> list[str]:
    """What the control table shows as unfinished."""
    items = world.control.of("source--replica")
    slot = items.slots.get(kind.name)
    found = [slot.job_id] if slot is not None and slot.job_id is not None else []
    return found + [job_id for (name, job_id), text in items.jobs.items() if name == kind.name and b'"running"' in text]


@EVERY
async def test_of_eight_that_ask_at_the_same_moment_one_gets_it_and_the_others_its_id(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        asked = [kind.start(console(service)) for _ in range(8)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        jobs = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(jobs) == 1
        refusals = [answer for answer in answers if isinstance(answer, ConflictError)]
        assert len(refusals) == 7
        assert all(jobs[0].id in str(refusal) for refusal in refusals)
        assert jobs[0].started_by is StartedBy.ADMIN
        assert [job.id for job in await kind.runner(service).newest()] == [jobs[0].id]
        quick(service.world)
        assert (await ended(service, kind, jobs[0].id)).state is JobState.DONE
        assert running(service.world, kind) == []
        await kind.start(console(service))


@EVERY
async def test_a_standby_starts_and_cancels_nothing_and_names_the_active_one(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as active:
        await filled(active)
        job = await kind.start(console(active))
        async with Service(world, queue_max_records=20) as standby:
            await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
            with pytest.raises(ConflictError, match=f"{job.id} runs already.*{active.pipeline.holder.owner}"):
                await kind.start(console(standby))
            with pytest.raises(ConflictError, match=active.pipeline.holder.owner):
                await kind.cancel(console(standby), job.id)
            await asyncio.sleep(2)
            assert (await kind.runner(standby).found(job.id)).id == job.id, "it is shown there too"
            assert [each.state for each in await kind.runner(standby).newest()] == [JobState.RUNNING]


@EVERY
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
async def test_one_that_is_killed_while_it_is_started_exists_wholly_or_not_at_all(kind: Kind, moment: Moment):
    world = slow_world()
    service = await Service(world, queue_max_records=20).open()
    await filled(service)
    world.plan.fail_next("control.begin_job", Crash("kill -9"), moment=moment)
    asking = asyncio.create_task(kind.start(console(service)))
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    await until(lambda: service.process.is_dead)
    await service.die()
    asking.cancel()
    quick(world)
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        await kind.runner(second).has_looked.wait()
        jobs = await kind.runner(second).newest()
        assert len(jobs) == (1 if moment is Moment.AFTER else 0)
        for job in jobs:
            assert (await ended(second, kind, job.id)).state is JobState.DONE
        assert running(world, kind) == []
        await kind.start(console(second))


@EVERY
async def test_one_whose_process_died_goes_on_and_is_the_only_one(kind: Kind):
    world = slow_world()
    service = await Service(world, queue_max_records=20).open()
    await filled(service)
    job = await kind.start(console(service))
    await asyncio.sleep(2)
    await service.die()
    async with Service(world, queue_max_records=20) as second:
        await second.flow()
        with pytest.raises(ConflictError, match=job.id):
            await kind.start(console(second))
        quick(world)
        assert (await ended(second, kind, job.id)).state is JobState.DONE
        await second.until_caught_up()
    check_all(world)


@EVERY
async def test_a_lost_answer_to_the_start_is_no_second_job_and_no_refusal(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        service.world.plan.fail_next("control.begin_job", AmbiguousError("reset"), moment=Moment.AFTER)
        job = await kind.start(console(service))
        assert [each.id for each in await kind.runner(service).newest()] == [job.id]
        quick(service.world)
        assert (await ended(service, kind, job.id)).state is JobState.DONE


@EVERY
async def test_a_start_that_was_not_taken_is_asked_for_again(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        service.world.plan.fail_next("control.begin_job", UnavailableError("away"))
        with pytest.raises(UnavailableNowError):
            await kind.start(console(service))
        assert await kind.runner(service).newest() == []
        await kind.start(console(service))


@EVERY
async def test_one_whose_client_gave_up_while_it_was_started_runs_all_the_same(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        begun = service.world.control.of("source--replica").slots
        asking = asyncio.create_task(kind.start(console(service)))
        while begun[kind.name].job_id is None:  # noqa: ASYNC110  at the very turn of the loop
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await kind.runner(service).has_looked.wait()
        jobs = await kind.runner(service).newest()
        quick(service.world)
        assert (await ended(service, kind, jobs[0].id)).state is JobState.DONE


@EVERY
async def test_what_is_asked_for_during_a_stop_is_refused_or_goes_on_with_the_next_process(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        asked = [asyncio.create_task(kind.start(console(service)))]
        await asyncio.sleep(0)
        service.pipeline.stop()
        while not service.running.done():
            asked.append(asyncio.create_task(kind.start(console(service))))
            await asyncio.sleep(0.02)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    jobs = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert all(isinstance(answer, ConflictError) for answer in answers if isinstance(answer, BaseException))
    assert len(jobs) <= 1
    quick(world)
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        for job in await kind.runner(second).newest():
            assert (await ended(second, kind, job.id)).state is JobState.DONE
        assert running(world, kind) == []


@EVERY
async def test_of_those_that_an_earlier_version_left_running_the_newest_goes_on_and_the_others_end(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        await asyncio.sleep(2)
    items = world.control.of("source--replica")
    left = items.slots.pop(kind.name).document
    items.slots.clear()  # which an earlier version knows nothing of
    adapters = world.process().control
    for job_id in [*(f"2024-{number}" for number in range(7)), job.id]:
        document = {**left["document"], "id": job_id}
        del document["started_by"]
        await adapters.put_job(kind.name, document["id"], {**left, "document": document})
    quick(world)
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        assert (await ended(second, kind, job.id)).state is JobState.DONE
        others = [each for each in await kind.runner(second).newest() if each.id != job.id]
        assert [(each.state, each.error) for each in others] == [(JobState.FAILED, SURPLUS)] * 7
        assert running(world, kind) == []


@EVERY
async def test_a_cancelled_one_writes_nothing_more_and_is_not_taken_up_again(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        await asyncio.sleep(2.2)
        answer = await kind.cancel(console(service), job.id)
        assert (answer.id, answer.state) == (job.id, JobState.CANCELLED)
        assert answer.finished_at is not None
        assert running(world, kind) == []
        assert not service.pipeline.is_snapshotting
        quick(world)
        replica = dict(world.replica.items)
        await asyncio.sleep(20)
        assert world.replica.items == replica
        with pytest.raises(ConflictError, match="has ended"):
            await kind.cancel(console(service), (await done(service, kind)).id)
        with pytest.raises(NotFoundError):
            await kind.cancel(console(service), "none")
        with pytest.raises(ConflictError, match="has ended: it is cancelled"):
            await kind.cancel(console(service), job.id)
        cancelled = await kind.runner(service).found(job.id)
        assert cancelled == answer
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        assert (await kind.runner(second).found(job.id)) == answer
    check_never_back(world)


async def done(service: Service, kind: Kind) -> Any:
    job = await kind.start(console(service))
    return await ended(service, kind, job.id)


@EVERY
async def test_two_that_cancel_at_the_same_moment_are_both_told(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        await asyncio.sleep(1)
        asked = [kind.cancel(console(service), job.id) for _ in range(2)]
        assert [answer.state for answer in await asyncio.gather(*asked)] == [JobState.CANCELLED] * 2


@EVERY
async def test_one_that_is_killed_in_the_middle_of_its_end_has_ended_or_goes_on(kind: Kind):
    world = slow_world()
    service = await Service(world, queue_max_records=20).open()
    await filled(service)
    job = await kind.start(console(service))
    await asyncio.sleep(1)
    world.plan.fail_next("control.file_job", Crash("kill -9"))
    asking = asyncio.create_task(kind.cancel(console(service), job.id))
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    await until(lambda: service.process.is_dead)
    await service.die()
    asking.cancel()
    quick(world)
    async with Service(world, queue_max_records=20) as second:
        await second.until_caught_up()
        await kind.runner(second).has_looked.wait()
        assert (await kind.runner(second).found(job.id)).state is JobState.CANCELLED
        assert running(world, kind) == []


@EVERY
async def test_one_is_cancelled_in_a_pause_too(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        await asyncio.sleep(2)
        await console(service).pause()
        assert (await kind.cancel(console(service), job.id)).state is JobState.CANCELLED
        await console(service).resume()
        quick(service.world)
        replica = dict(service.world.replica.items)
        await asyncio.sleep(20)
        assert service.world.replica.items == replica


@EVERY
async def test_one_is_cancelled_although_the_replica_takes_nothing(kind: Kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        quick(world)
        start = world.clock.now()
        world.plan.outage("replica", start, start + 300, UnavailableError("away"))
        job = await kind.start(console(service))
        await asyncio.sleep(5)
        assert (await kind.cancel(console(service), job.id)).state is JobState.CANCELLED
        assert world.clock.now() < start + 60


@EVERY
async def test_a_pause_stops_its_reads_and_they_go_on_with_the_resume(kind: Kind):
    async with Service(slow_world(), queue_max_records=20) as service:
        await filled(service)
        job = await kind.start(console(service))
        await asyncio.sleep(2)
        await console(service).pause()
        await asyncio.sleep(1)  # what was on its way is answered
        made = list(service.process.connection.made)
        await asyncio.sleep(60)
        since = service.process.connection.made[len(made) :]
        assert [call for call in since if not call.startswith("control.") and not call.endswith(".describe")] == []
        await console(service).resume()
        quick(service.world)
        assert (await ended(service, kind, job.id)).state is JobState.DONE
        assert kind.reads in service.process.connection.made[len(made) :]
    check_all(service.world)


@pytest.mark.parametrize("is_dead", [False, True])
async def test_the_snapshot_of_a_first_start_can_not_be_cancelled(is_dead: bool):
    """A replica that was never copied would be called caught up."""
    world = slow_world()
    for number in range(ITEMS):
        world.source.preset(item(number))
    world.source.scan_seconds = 0.5
    service = await Service(world, start_at="snapshot").open()
    await until(lambda: service.pipeline.is_snapshotting)
    await service.snapshots.has_looked.wait()
    if is_dead:
        await asyncio.sleep(2)
        await service.die()
        service = await Service(world, start_at="snapshot").open()
        await service.flow()
        await service.snapshots.has_looked.wait()
    async with asyncio.timeout(60):
        job = (await service.snapshots.newest())[0]
        assert job.started_by is StartedBy.SCHEDULE
        with pytest.raises(ConflictError, match="not whole without"):
            await console(service).cancel_snapshot(job.id)
        with pytest.raises(ConflictError, match=job.id):
            await console(service).snapshot()
        assert (await ended(service, KINDS[0], job.id)).state is JobState.DONE
    service.pipeline.stop()
    await service.running
    assert len(world.replica.items) == ITEMS


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


async def test_a_snapshot_whose_turn_comes_when_the_gap_is_mended_does_not_begin_another():
    service = await failed_service(World())
    async with service.snapshots._turn:  # another call is at it
        asked = asyncio.create_task(console(service).snapshot())
        await asyncio.sleep(0)
        service.pipeline.mend()
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
        assert (await running.snapshots.start(running.pipeline)).state is JobState.RUNNING
        assert running.pipeline.state is PipelineState.SNAPSHOTTING


async def test_a_process_that_stops_in_the_middle_of_a_snapshot_is_not_snapshotting_any_more() -> None:
    world = slow_world()
    async with Service(world, start_at="trim_horizon") as service:
        await filled(service)
        await service.snapshots.start(service.pipeline)
        assert service.pipeline.is_snapshotting
    assert not service.pipeline.is_snapshotting
