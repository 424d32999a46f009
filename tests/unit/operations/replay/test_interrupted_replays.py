"""A replay that is paused, killed or asked for twice, and one whose history goes while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import UnavailableError
from service.operations.console import ConflictError, NotFoundError
from service.operations.documents.jobs import JobState
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all
from tests.support.numbered_items import key
from tests.support.replayed_history import HORIZON, counts, written


async def test_a_second_replay_is_refused_while_one_runs():
    async with Service(World()) as service:
        await written(service, *range(3))
        await service.adapters.control.set_paused(True)
        service.pipeline.show_paused(True)
        flow = await service.flow()
        job = await service.replays.start(flow, **HORIZON)
        with pytest.raises(ConflictError):
            await service.replays.start(flow, **HORIZON)
        await service.adapters.control.set_paused(False)
        service.pipeline.show_paused(False)
        assert counts(await service.replayed(job.id))[0] == 3
        assert [each.id for each in await service.replays.newest()] == [job.id]
        with pytest.raises(NotFoundError):
            await service.replays.found("none")


async def test_a_paused_pipeline_replays_nothing():
    async with Service(World()) as service:
        await written(service, *range(3))
        service.world.replica.lose(key(1))
        await service.adapters.control.set_paused(True)
        service.pipeline.show_paused(True)
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(20)
        assert (await service.replays.found(job.id)).records_read == 0
        await service.adapters.control.set_paused(False)
        service.pipeline.show_paused(False)
        assert counts(await service.replayed(job.id)) == (3, 1, 2)


async def test_a_replay_goes_on_after_a_crash_where_it_was():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.replica.lose(key(199))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await until(lambda: any(name == "save_job" and saved(what) > 50 for name, what in world.control.writes))
    await service.die()
    world.source.stream.timing.empty_pages = 0.0
    async with Service(world) as next_one:
        await next_one.flow()
        await next_one.replays.has_looked.wait()
        resumed = await next_one.replays.found(job.id)
        assert resumed.records_read >= 50
        assert counts(await next_one.replayed(job.id)) == (200, 1, 199)
        check_all(world)


async def test_a_replay_whose_range_somebody_has_deleted_fails_and_the_flow_goes_on():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await service.die()
    world.control.of("source--replica").fixed.clear()
    async with Service(world) as next_one:
        await next_one.flow()
        await next_one.replays.has_looked.wait()
        failed = await next_one.replays.found(job.id)
        assert failed.state is JobState.FAILED
        assert "begin another replay" in (failed.error or "")
        await next_one.until_caught_up()
        world.source.stream.timing.empty_pages = 0.0
        assert counts(await next_one.replay(**HORIZON))[0] == 200


async def test_one_that_is_asked_for_before_the_unfinished_one_is_found_is_not_a_second_run():
    world = World()
    service = await Service(world, queue_max_records=10).open()
    await written(service, *range(200))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await service.die()
    world.plan.fail_next("control.read_slot", UnavailableError("away"), times=12)
    async with Service(world, queue_max_records=10) as next_one:
        flow = await next_one.flow()
        assert not next_one.replays.has_looked.is_set()
        with pytest.raises(ConflictError, match=job.id):
            await next_one.replays.start(flow, **HORIZON)


def saved(what: Any) -> int:
    return int(what.document["document"].get("records_read", 0))


async def test_a_replay_whose_records_are_trimmed_meanwhile_fails_and_says_so():
    async with Service(World(), queue_max_records=10) as service:
        numbers = await written(service, *range(100))
        service.world.source.stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), sequence_number=str(numbers[5]))
        await asyncio.sleep(3)
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id)
        ended = await service.replayed(job.id)
        assert ended.state is JobState.FAILED
        assert ended.error is not None
        assert "verification" in ended.error
        assert service.report.status().state == "running"


async def test_all_that_is_left_may_become_less_meanwhile():
    async with Service(World(), queue_max_records=10) as service:
        numbers = await written(service, *range(100))
        service.world.source.stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), **HORIZON)
        await asyncio.sleep(3)
        stream = service.world.source.stream
        stream.trim(stream.open_shards[0].shard_id, numbers[90])
        read, _, _ = counts(await service.replayed(job.id))
        assert 9 <= read < 100


async def test_a_shard_that_vanishes_before_it_is_replayed_ends_a_replay_from_a_number():
    async with Service(World(shards=1), queue_max_records=10) as service:
        numbers = await written(service, *range(50))
        stream = service.world.source.stream
        child = stream.roll()
        await written(service, *range(50), value="2")
        stream.roll()
        await written(service, *range(50), value="3")
        stream.timing.empty_pages = 0.9
        job = await service.replays.start(await service.flow(), sequence_number=str(numbers[0]))
        await asyncio.sleep(2)
        stream.trim(child)
        assert (await service.replayed(job.id)).state is JobState.FAILED


async def test_a_stream_that_was_recreated_ends_a_replay():
    world = World()
    service = await Service(world, on_gap="snapshot", queue_max_records=10).open()
    await written(service, *range(100))
    world.source.stream.timing.empty_pages = 0.9
    job = await service.replays.start(await service.flow(), **HORIZON)
    await asyncio.sleep(2)
    await service.die()
    world.source.recreate_stream()
    async with Service(world, on_gap="snapshot") as next_one:
        ended = await next_one.replayed(job.id)
        assert ended.state is JobState.FAILED
        assert "re-created" in (ended.error or "")
