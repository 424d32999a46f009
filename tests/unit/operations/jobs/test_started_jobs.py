"""Jobs of every kind: asked for twice, killed while they start, left by another process or an earlier version."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import AmbiguousError, UnavailableError
from service.operations.console import ConflictError, UnavailableNowError
from service.operations.documents.jobs import JobState, StartedBy
from service.operations.documents.status import PipelineState
from service.operations.job_store import SURPLUS
from tests.fakes.faults import Crash, Moment
from tests.fakes.service import Service, until
from tests.support.invariants import check_all
from tests.support.kinds_of_jobs import EVERY, Kind, console, ended, filled, quick, running, slow_world


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
