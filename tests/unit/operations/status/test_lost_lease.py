"""What a process tells that has lost its lease: when, why, and which process replicates, which is never itself."""

from __future__ import annotations

import asyncio

from service.operations.documents.status import PipelineState, Role
from service.operations.documents.utc_time import moment, utc_text
from service.operations.pipeline.ownership import not_here
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import LOST, play


def test_one_that_lost_it_names_the_other_once_it_is_seen_and_that_nothing_has_to_be_done() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as first:
            await first.until_caught_up()
            first.process.connection.fails = LOST
            async with Service(world) as second:
                await until(lambda: first.report.status().state is PipelineState.STANDBY)
                lost_at = utc_text(moment(world.clock.now()))
                await second.until_caught_up()
                first.process.connection.fails = None
                await asyncio.sleep(200)
                status = first.report.status()
                assert status.active_since is not None
                assert status.reason == (
                    f"this process lost the lease at {lost_at}: the lease could not be renewed in time: no connection; "
                    f"{second.pipeline.holder.owner} replicates since {utc_text(status.active_since)}, and nothing has "
                    "to be done: this process stands by for that one"
                )
                assert first.report.not_ready_reason() is None
                assert f"ask {second.pipeline.holder.owner}, or wait" in not_here(first.pipeline)
                await second.die()
                await first.until_caught_up()
                assert first.report.status().reason is None

    play(scenario)


def test_one_that_nobody_followed_sends_nobody_to_itself_and_tells_since_when_it_hears_nothing() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as alone:
            await alone.until_caught_up()
            me = alone.pipeline.holder.owner
            silent_since = utc_text(moment(world.clock.now() + 1))[:-6]  # but for the seconds
            alone.process.connection.fails = LOST
            await until(lambda: alone.report.status().state is PipelineState.STANDBY)
            assert alone.report.status().active is None, "not itself, by a lease that it has lost"
            await asyncio.sleep(60)
            status = alone.report.status()
            assert (status.role, status.active, status.process) == (Role.STANDBY, None, me)
            lost, silence = (status.reason or "").split(". ")
            assert "no process is known that replicates; this process was the last that did, at 2" in lost
            assert silence.startswith(f"The control table has not answered since {silent_since}")
            assert silence.endswith(": no connection")
            late, again = (alone.report.not_ready_reason() or "").split(". ")
            assert late.startswith("the control table has not answered for ")
            assert late.endswith(" s: no connection")
            assert again.lower() == lost.lower()
            assert me not in not_here(alone.pipeline)
            assert "this process was the last that did" in not_here(alone.pipeline)
            alone.process.connection.fails = None
            await alone.until_caught_up()
            assert alone.report.status().reason is None

    play(scenario)


def test_one_that_knows_of_no_process_says_so() -> None:
    async def scenario(world: World) -> None:
        world.plan.fail_next("control.read_lease", LOST, times=10)
        async with Service(world) as service:
            await asyncio.sleep(0.5)
            assert not_here(service.pipeline).endswith("no process is known that replicates: wait until one does")
            await service.until_caught_up()

    play(scenario)


def test_one_whose_flow_has_ended_sends_nobody_to_another_while_it_has_the_lease() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            told: list[str] = []
            pipeline = service.pipeline

            def note() -> None:
                """It is asked at the release, too."""
                if pipeline.replicator is None:
                    told.append(not_here(pipeline))

            pipeline.holder.behind_since = note
            pipeline.hand_over("process-2")
            await until(lambda: pipeline.holder.lease is None)
            assert told == [
                "this process does not replicate now: it hands the pipeline over to process-2; ask that one, or wait"
            ]

    play(scenario)


def test_one_that_starts_says_so() -> None:
    async def scenario(world: World) -> None:
        now = world.clock.now()
        world.plan.outage("streams", now, now + 30, LOST)
        async with Service(world) as service:
            await until(lambda: service.pipeline.holder.lease is not None)
            assert not_here(service.pipeline) == (
                "this process does not replicate now: it starts its replication; wait, and ask again"
            )
            await service.until_caught_up()

    play(scenario)
