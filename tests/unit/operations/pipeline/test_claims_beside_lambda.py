"""The claim on a replica that Lambda fills."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.events import Observers
from service.lambda_mode.writer_without_stream import SidePipeline
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.operations.pipeline.outside import Outside
from service.operations.pipeline.pipeline import Pipeline
from service.operations.snapshot.snapshots import Snapshots
from tests.fakes.service import settings_of, until
from tests.fakes.world import World
from tests.support.claimed_replica import world_of
from tests.support.numbered_items import item


async def test_what_writes_beside_lambda_is_refused_too() -> None:
    world = await world_of("a")
    line = world.process("b")

    async def look() -> Outside:
        return Outside(line.adapters, await world.source.describe(), await world.replica.describe())

    pipeline = SidePipeline(
        settings=settings_of(pipeline="b"), outside=await look(), look_again=look, owner="admin", observer=Observers()
    )
    running = asyncio.create_task(pipeline.run())
    await until(lambda: pipeline.state is not PipelineState.STARTING)
    assert pipeline.state is PipelineState.FAILED
    assert "belongs to the pipeline 'a'" in (pipeline.reason or "")
    pipeline.stop()
    await running


class AdminOnly:
    """What `run --admin-only` runs for a pipeline that Lambda replicates."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world = world
        self.line = world.process("b")
        self.settings = settings_of(pipeline="b", **more)

    async def _look(self) -> Outside:
        return Outside(self.line.adapters, await self.world.source.describe(), await self.world.replica.describe())

    async def __aenter__(self) -> Pipeline:
        outside = await self._look()
        self.pipeline = SidePipeline(
            settings=self.settings, outside=outside, look_again=self._look, owner="admin", observer=Observers()
        )
        self.snapshots = Snapshots(self.pipeline)
        self._running = asyncio.create_task(self.pipeline.run())
        return self.pipeline

    async def __aexit__(self, *_: object) -> None:
        self.pipeline.stop()
        await self._running


async def until_state(pipeline: Pipeline, state: PipelineState) -> None:
    async with asyncio.timeout(60):
        await until(lambda: pipeline.state is state)


@pytest.mark.parametrize("on_gap", ["fail", "snapshot"])
async def test_the_claim_on_what_lambda_fills_is_watched_by_the_admin_process(on_gap: str) -> None:
    world = World()
    async with AdminOnly(world, on_gap=on_gap) as pipeline:
        await until_state(pipeline, PipelineState.RUNNING)
        world.control.claims.clear()
        await until_state(pipeline, PipelineState.FAILED)
        assert "claim on the replica replica-table is gone" in (pipeline.reason or "")


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_replica_of_lambda_that_is_created_anew_fails_until_a_snapshot_mends_it(is_running: bool) -> None:
    world = World()
    world.source.preset(*[item(number) for number in range(5)])
    async with AdminOnly(world) as pipeline:
        await until_state(pipeline, PipelineState.RUNNING)
        if is_running:
            world.replica.recreate()
            await until_state(pipeline, PipelineState.FAILED)
    if not is_running:
        world.replica.recreate()
    for _ in range(2):  # each start finds it
        async with AdminOnly(world) as pipeline:
            await until_state(pipeline, PipelineState.FAILED)
            assert "was re-created" in (pipeline.reason or "")
    admin = AdminOnly(world)
    async with admin as pipeline:
        await until_state(pipeline, PipelineState.FAILED)
        world.replica.preset(item(99))
        job = await admin.snapshots.start()
        async with asyncio.timeout(60):
            await until(lambda: world.replica.items.keys() == world.source.items.keys())
            await until(lambda: pipeline.state is PipelineState.RUNNING and not pipeline.gaps)
        assert [(one.id, one.state) for one in await admin.snapshots.newest()] == [(job.id, JobState.DONE)]
    async with AdminOnly(world) as pipeline:
        await until_state(pipeline, PipelineState.RUNNING)


async def test_a_replica_of_lambda_that_is_created_anew_is_filled_by_itself() -> None:
    world = World()
    world.source.preset(*[item(number) for number in range(5)])
    admin = AdminOnly(world, on_gap="snapshot")
    async with admin as pipeline:
        await until_state(pipeline, PipelineState.RUNNING)
        world.replica.recreate()
        world.replica.preset(item(99))
        async with asyncio.timeout(60):
            await until(lambda: world.replica.items.keys() == world.source.items.keys())
            await until(lambda: pipeline.state is PipelineState.RUNNING and not pipeline.gaps)
        assert [job.state for job in await admin.snapshots.newest()] == [JobState.DONE]
