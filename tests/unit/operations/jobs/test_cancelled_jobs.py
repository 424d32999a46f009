"""Jobs of every kind, cancelled and paused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import UnavailableError
from service.operations.console import ConflictError, NotFoundError
from service.operations.documents.jobs import JobState, StartedBy
from tests.fakes.faults import Crash
from tests.fakes.service import Service, until
from tests.support.invariants import check_all, check_never_back
from tests.support.kinds_of_jobs import EVERY, ITEMS, KINDS, Kind, console, ended, filled, quick, running, slow_world
from tests.support.numbered_items import item


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
            await console(service).cancel_job("snapshot", job.id)
        with pytest.raises(ConflictError, match=job.id):
            await console(service).snapshot()
        assert (await ended(service, KINDS[0], job.id)).state is JobState.DONE
    service.pipeline.stop()
    await service.running
    assert len(world.replica.items) == ITEMS
