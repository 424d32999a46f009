"""What `run --admin-only` writes while a function applies the stream: two writers of one key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.errors import ThrottledError
from service.operations.documents.jobs import JobState, Snapshot
from service.operations.job_store import JobDocuments
from service.operations.jobs.scan_position import ScanPosition
from service.replication.writing.guard import MAX_LOOKS_AGAIN
from tests.fakes.event_source import engine_on
from tests.fakes.service import until
from tests.fakes.world import World
from tests.support.invariants import check_equal, check_never_back
from tests.support.lambda_mode.batches import records
from tests.support.lambda_mode.operator import Admin
from tests.support.lambda_mode.world import settings_of

ITEM = {"key": {"S": "k0"}, "value": {"N": "1"}}


@pytest.fixture
def world() -> World:
    return World(seed=5)


async def applied_by_lambda(world: World) -> None:
    """All that the stream has, as one batch."""
    engine = await engine_on(world.process(), settings_of())
    assert await engine.apply(records(world), 30.0) is None


async def slowly(admin: Admin, call: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """The admin copies the item; its write is held up for some seconds, and the other thing happens meanwhile."""
    plan = admin.world.plan
    plan.fail_next(call, ThrottledError("slow down", "ThrottlingException"), times=6)
    copying = asyncio.create_task(admin.copy(0))
    await until(lambda: plan.seen[f"{call} ThrottledError"] > 0)
    await meanwhile()
    assert not copying.done()
    await copying


async def test_an_item_that_is_deleted_while_its_copy_is_on_its_way_stays_deleted(world: World) -> None:
    world.source.preset(ITEM)

    async def meanwhile() -> None:
        world.source.delete(ITEM)
        await applied_by_lambda(world)  # finds nothing to delete

    async with Admin(world, settings_of()) as admin:
        await slowly(admin, "replica.put", meanwhile)
    check_equal(world)
    check_never_back(world)


async def test_an_item_that_comes_back_while_its_removal_is_on_its_way_stays(world: World) -> None:
    world.source.put(ITEM)
    await applied_by_lambda(world)
    world.source.delete(ITEM)

    async def meanwhile() -> None:
        world.source.put(ITEM)
        await applied_by_lambda(world)  # finds the same content there

    async with Admin(world, settings_of()) as admin:
        await slowly(admin, "replica.delete", meanwhile)
    check_equal(world)
    check_never_back(world)


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_snapshot_that_goes_on_removes_what_its_predecessor_copied_too_late(world: World, keeps: bool) -> None:
    """It died between a copy and its second look, and Lambda had found nothing to delete."""
    world.replica.preset(ITEM)
    died = world.process()
    log = JobDocuments("snapshot", Snapshot, died.control, died.clock)
    job = log.begun(items_estimated=1)
    await log.begin(job, ScanPosition({}).saved(), 0)
    async with Admin(world, settings_of(skip_ttl_deletes=str(keeps))) as admin:
        while (await log.found(job.id)).state is JobState.RUNNING:  # noqa: ASYNC110 the store is asked
            await asyncio.sleep(0.1)
        assert (await admin.snapshots.found(job.id)).state is JobState.DONE
    assert len(world.replica.items) == int(keeps), "what time to live removed is kept where that is configured"


async def test_a_key_that_changes_all_the_time_is_not_written_for_ever(world: World) -> None:
    world.source.preset(ITEM)
    async with Admin(world, settings_of()) as admin:
        copying = asyncio.create_task(admin.copy(0))
        while not copying.done():
            world.source.put({**ITEM, "value": {"N": str(world.clock.now())}})
            await asyncio.sleep(0)
    assert 1 <= sum(world.replica.writes.values()) <= MAX_LOOKS_AGAIN + 1


@pytest.mark.parametrize("keeps", [False, True])
async def test_an_invocation_that_is_at_work_still_when_its_batch_was_sent_again_brings_nothing_back(
    world: World, keeps: bool
) -> None:
    settings = settings_of(skip_ttl_deletes=str(keeps))
    world.source.put(ITEM)
    slow = await engine_on(world.process(), settings)
    world.plan.fail_next("replica.put", ThrottledError("slow down", "ThrottlingException"), times=6)
    at_work = asyncio.create_task(slow.apply(records(world), 30.0))
    await until(lambda: world.plan.seen["replica.put ThrottledError"] > 0)
    world.source.delete(ITEM, is_ttl=keeps)
    again = await engine_on(world.process(), settings)
    assert await again.apply(records(world), 30.0) is None
    assert not at_work.done()
    assert await at_work is None
    assert len(world.replica.items) == int(keeps), "what time to live removes is kept where that is configured"
    check_never_back(world)
