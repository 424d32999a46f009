"""The status tells which calls would be refused, and why: exactly those are, in every state of a pipeline."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import HaltError
from service.lambda_mode.mapping_report import NO_REPLAY
from service.operations.console import ConflictError
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState
from service.operations.live_console import LiveConsole
from service.operations.pipeline.pause import Pause
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.kinds_of_jobs import KINDS as JOBS
from tests.support.kinds_of_jobs import console, filled, running, slow_world
from tests.support.numbered_items import item
from tests.unit.operations.pipeline.test_healing import SnapshottingService, lose_stream

CALLS: dict[str, Any] = {
    "replay": lambda shown: shown.replay(from_="trim_horizon"),
    "snapshot": lambda shown: shown.snapshot(),
    "verify": lambda shown: shown.verify(),
    "redrive": lambda shown: shown.redrive(None),
}


async def refused(service: Service) -> set[str]:
    """What the status says is refused; each such call is, for that reason."""
    told = console(service).status().refused
    for name, reason in told.items():
        with pytest.raises(ConflictError) as error:
            await CALLS[name](console(service))
        assert reason in str(error.value)
    return set(told)


async def test_nothing_is_refused_while_it_runs_and_every_call_is_taken():
    async with Service(World()) as service:
        await service.until_caught_up()
        assert await refused(service) == set()
        for call in CALLS.values():
            await call(console(service))


@pytest.mark.parametrize("kind", JOBS, ids=lambda kind: kind.name)
async def test_a_second_job_of_a_kind_is_refused_while_the_first_runs(kind):
    world = slow_world()
    async with Service(world, queue_max_records=20) as service:
        await filled(service)
        world.source.scan_seconds = world.replica.scan_seconds = 10.0
        begun = await kind.start(console(service))
        name = "verify" if kind.name == "verification" else kind.name
        assert await refused(service) == {name}
        assert begun.id in console(service).status().refused[name]
        await kind.cancel(console(service), begun.id)
        assert await refused(service) == set()


async def test_a_standby_refuses_all_and_names_the_active_one():
    world = World()
    async with Service(world) as active, Service(world) as standby:
        await active.until_caught_up()
        await until(lambda: standby.pipeline.state is PipelineState.STANDBY)
        await asyncio.sleep(5)
        assert await refused(standby) == set(CALLS)
        assert active.pipeline.holder.owner in standby_reason(standby)


def standby_reason(standby: Service) -> str:
    return console(standby).status().refused["verify"]


async def test_a_failed_pipeline_refuses_all_but_the_snapshot_that_mends_it():
    world = slow_world()
    async with SnapshottingService(world) as service:
        await filled(service)
        lose_stream(world)
        await until(lambda: service.pipeline.state is PipelineState.FAILED)
        assert await refused(service) == {"replay", "verify", "redrive"}
        assert (await console(service).snapshot()).state is JobState.RUNNING


async def test_a_snapshot_that_the_replica_needs_says_so_and_one_that_was_asked_for_does_not():
    world = slow_world()
    world.source.preset(*[item(number) for number in range(50)])
    world.source.scan_seconds = 10.0
    async with SnapshottingService(world, start_at="snapshot") as service:
        await service.flow()
        await until(lambda: bool(running(world, JOBS[0])))
        (first,) = await console(service).jobs("snapshot")
        assert first.needed
        assert (await console(service).find_job("snapshot", first.id)).needed
        with pytest.raises(ConflictError, match="can't be cancelled"):
            await console(service).cancel_job("snapshot", first.id)
        world.source.scan_seconds = 0.0
        await until(lambda: not service.pipeline.is_snapshotting)
        (first,) = await console(service).jobs("snapshot")
        assert (first.state, first.needed) == (JobState.DONE, False)
        world.source.scan_seconds = 10.0
        asked = await console(service).snapshot()
        assert not (await console(service).find_job("snapshot", asked.id)).needed
        assert (await console(service).cancel_job("snapshot", asked.id)).state is JobState.CANCELLED


async def interrupted(service: Service, world: World) -> str:
    """A snapshot whose pipeline has failed by a cause that a restart may find gone."""
    await filled(service)
    world.source.scan_seconds = 10.0
    begun = await console(service).snapshot()
    world.plan.fail_next("control.save_progress", HaltError("an answer that nobody foresaw"))
    world.source.put(item(1, "9"))
    await until(lambda: service.pipeline.state is PipelineState.FAILED)
    return str(begun.id)


async def test_an_interrupted_snapshot_says_what_becomes_of_it_and_so_it_does():
    world = slow_world()
    async with SnapshottingService(world, queue_max_records=20) as service:
        job_id = await interrupted(service, world)
        told = (await service.snapshots.found(job_id)).error
        assert told is not None
        assert "it goes on if a restart mends that, and ends if a new snapshot does" in told
        world.source.scan_seconds = 0.0
        await console(service).snapshot()
        await until(lambda: not running(world, JOBS[0]))
        over = await service.snapshots.found(job_id)
        assert over.state is JobState.FAILED
        assert over.error is not None
        assert "a new snapshot, which copies everything, took its place" in over.error
        assert "history was lost" not in over.error


async def test_beside_lambda_a_replay_is_refused_and_no_other_call():
    async with Service(World()) as service:
        await service.until_caught_up()
        shown = LiveConsole(
            pipeline=service.pipeline,
            report=service.report,
            pausing=Pause(service.pipeline),
            letters=service.letters,
            snapshots=service.snapshots,
            verifications=service.verifications,
            replays=service.replays,
            no_replay=NO_REPLAY,
        )
        assert shown.status().refused == {"replay": NO_REPLAY}
        with pytest.raises(ConflictError, match="only its mapping can be set back"):
            await shown.replay(from_="trim_horizon")
