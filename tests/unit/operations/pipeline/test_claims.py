"""One replica belongs to one pipeline: a heal or a repair of another one would delete its items."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import AmbiguousError, HaltError
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from tests.fakes.command import Command
from tests.fakes.faults import Moment
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.claimed_replica import service_of, world_of
from tests.support.damaged_tables import filled
from tests.support.invariants import check_equal
from tests.support.numbered_items import item
from tests.unit.operations.pipeline.test_healing import SnapshottingService


def is_failed(service: Service) -> bool:
    return service.pipeline.state is PipelineState.FAILED


async def reason_of(service: Service) -> str:
    """Why it does not replicate, now and later."""
    async with service:
        async with asyncio.timeout(60):
            await until(lambda: is_failed(service))
        reason = service.pipeline.reason
        assert reason is not None
        await asyncio.sleep(600)
        assert is_failed(service), "nothing is tried again by itself"
    return reason


@pytest.mark.parametrize("start_at", ["snapshot", "latest", "trim_horizon"])
@pytest.mark.parametrize("on_gap", ["fail", "snapshot"])
async def test_a_second_pipeline_on_one_replica_fails_and_writes_nothing(start_at: str, on_gap: str) -> None:
    world = await world_of("a")
    writes = world.replica.writes.copy()

    reason = await reason_of(service_of(world, "b", start_at=start_at, on_gap=on_gap))

    assert "the replica replica-table belongs to the pipeline 'a'" in reason
    assert world.source.arn in reason
    assert f"replica#{world.replica.arn}" in reason
    assert "\n" not in reason
    assert world.replica.writes == writes
    assert world.control.of("b").progress is None, "its next start is a first start again"


async def test_a_second_pipeline_does_not_disturb_the_one_that_runs() -> None:
    world = World()
    async with service_of(world, "a") as first:
        await filled(first)
        await reason_of(service_of(world, "b"))
        world.source.put(item(1, "2"))
        await asyncio.sleep(5)
        await first.until_caught_up()
        check_equal(world)


async def test_of_two_pipelines_that_start_at_once_one_replicates() -> None:
    world = World()
    async with service_of(world, "a") as first, service_of(world, "b") as second:
        both = (first, second)
        async with asyncio.timeout(60):
            await until(lambda: all(is_failed(one) or one.pipeline.replicator is not None for one in both))
        assert [is_failed(one) for one in both].count(True) == 1


async def test_a_pipeline_goes_on_after_a_restart_and_with_a_standby() -> None:
    world = await world_of("a")
    async with service_of(world, "a") as first:
        await first.flow()
        async with service_of(world, "a") as standby:
            await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
            await first.die()
            await standby.flow()
            assert standby.pipeline.reason is None


async def test_a_claim_whose_answer_was_lost_is_the_pipelines_own() -> None:
    world = World()
    service = service_of(world, "a")
    world.plan.fail_next("control.claim_replica", AmbiguousError("reset", "AnswerLost"), moment=Moment.AFTER)
    async with service:
        await service.flow()
    assert world.plan.seen["control.claim_replica AmbiguousError"] == 1


async def test_a_replica_that_was_created_anew_belongs_to_whoever_comes_first() -> None:
    world = await world_of("a")
    world.replica.recreate()
    async with service_of(world, "b", start_at="trim_horizon") as second:
        await second.until_caught_up()
        check_equal(world)
        assert "belongs to the pipeline 'b'" in await reason_of(service_of(world, "a", on_gap="snapshot"))


async def test_a_heal_on_a_replica_that_another_pipeline_has_taken_is_refused_once_and_for_all() -> None:
    world = World()
    async with service_of(world, "a", on_gap="snapshot") as first:
        await filled(first)
        world.replica.recreate()
        async with service_of(world, "b") as second:
            await second.flow()
            async with asyncio.timeout(60):
                await until(lambda: is_failed(first) and "belongs to" in (first.pipeline.reason or ""))
            world.control.claims.clear()
            await asyncio.sleep(600)
            assert is_failed(first)
            assert "belongs to the pipeline 'b'" in (first.pipeline.reason or "")


async def test_a_pipeline_may_start_again_once_the_claim_was_deleted() -> None:
    world = await world_of("a")
    world.control.claims.clear()
    async with service_of(world, "b") as second:
        await second.until_caught_up()


async def test_a_repair_of_another_pipeline_is_refused_and_writes_nothing() -> None:
    world = await world_of("a")
    world.replica.preset(item(99))
    writes = world.replica.writes.copy()
    with pytest.raises(HaltError, match="belongs to the pipeline 'a'"):
        await Command(world, world.process("b"), pipeline="b").repair()
    assert world.replica.writes == writes
    lease = await world.process("b").control.read_lease()
    assert lease is not None
    assert lease.is_released


async def test_a_mere_look_claims_nothing() -> None:
    world = World()
    await Command(world, world.process("b"), pipeline="b").look()
    async with service_of(world, "a") as service:
        await service.flow()


async def test_a_repair_claims_the_replica_too() -> None:
    world = World()
    await Command(world, world.process("a"), pipeline="a").repair()
    assert "belongs to the pipeline 'a'" in await reason_of(service_of(world, "b"))


async def test_a_snapshot_by_itself_of_another_pipeline_is_refused() -> None:
    world = await world_of("a")
    with pytest.raises(HaltError, match="belongs to the pipeline 'a'"):
        await Command(world, world.process("b"), pipeline="b").snapshot()
    assert (await Command(world, world.process("a"), pipeline="a").snapshot()).state is JobState.DONE


@pytest.mark.parametrize("on_gap", ["fail", "snapshot"])
async def test_a_pipeline_whose_claim_was_deleted_for_another_one_stops_writing(on_gap: str) -> None:
    world = World()
    async with service_of(world, "a", on_gap=on_gap) as first:
        await filled(first)
        world.control.claims.clear()  # as the line says
        async with service_of(world, "b", on_gap=on_gap) as second, asyncio.timeout(60):
            await second.flow()
            await until(lambda: is_failed(first))
            assert "claim on the replica replica-table is gone" in (first.pipeline.reason or "")
            writes = world.replica.writes.copy()
            world.source.put(item(1, "5"))
            await until(lambda: world.replica.writes != writes)
            await second.until_caught_up()
            assert sum(world.replica.writes.values()) == sum(writes.values()) + 1
            assert is_failed(first)
    assert "belongs to the pipeline 'b'" in await reason_of(service_of(world, "a", on_gap=on_gap))


async def test_a_pipeline_whose_claim_was_deleted_by_mistake_goes_on_when_it_is_started_again() -> None:
    world = World()
    async with service_of(world, "a") as first:
        await filled(first)
        world.control.claims.clear()
        async with asyncio.timeout(60):
            await until(lambda: is_failed(first))
    async with service_of(world, "a") as again:
        await again.until_caught_up()


async def test_a_refused_pipeline_takes_no_job_and_says_why() -> None:
    world = await world_of("a")
    async with SnapshottingService(world, world.process("b"), pipeline="b") as refused:
        await until(lambda: is_failed(refused))
        with pytest.raises(ConflictError, match="belongs to the pipeline 'a'"):
            await refused.snapshots.start()
        await asyncio.sleep(60)
        assert await refused.snapshots.newest() == []
        assert is_failed(refused)
