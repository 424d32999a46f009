"""I8: what a process tells of the pipeline that it does not replicate now: a standby, or one that lost its lease."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from service.operations.documents.status import PipelineState, Role
from service.operations.documents.utc_time import moment
from service.operations.pipeline.pause import Pause
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import LOST, play, put, refuse_all


def lag_of(service: Service) -> float:
    """Known, and never good news."""
    lag = service.report.status().lag
    assert not lag.caught_up
    assert lag.seconds is not None
    assert lag.seconds > 0
    return lag.seconds


def test_the_lag_grows_all_the_time_of_an_outage_in_which_the_lease_is_lost() -> None:
    """5 s lease, everything refused for 30 s: from the first second to the last, and until it leads again."""

    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=5) as service:
            await service.until_caught_up()
            began = world.clock.now()
            refuse_all(world, 30)
            await asyncio.sleep(2)
            seen: list[tuple[PipelineState, float]] = []
            while world.clock.now() < began + 30:
                await asyncio.sleep(0.25)
                seen.append((service.report.status().state, lag_of(service)))
                gone = world.clock.now() - began
                assert gone - 2 < seen[-1][1] < gone + 2
            assert {state for state, _ in seen} == {PipelineState.RUNNING, PipelineState.STANDBY}
            assert [seconds for _, seconds in seen] == sorted(seconds for _, seconds in seen)
            status = service.report.status()
            assert status.role is Role.STANDBY
            assert status.lag.unapplied_records is None
            assert status.lag.keys_in_doubt is None
            while service.report.status().state is not PipelineState.RUNNING:
                assert lag_of(service) > 28
                await asyncio.sleep(0.25)
            await service.until_caught_up()
            assert (service.report.status().lag.seconds or 0) < 2

    play(scenario)


def test_a_standby_tells_the_lag_of_the_active_process_as_of_its_last_renewal() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            await asyncio.sleep(5)
            assert lag_of(standby) < 2
            now = world.clock.now()
            world.plan.outage("replica", now, now + 100)
            put(world)
            await asyncio.sleep(60)
            assert standby.report.status().state is PipelineState.STANDBY
            behind = active.report.status().lag.seconds
            assert behind is not None
            assert behind - 5 < lag_of(standby) <= behind
            await asyncio.sleep(60)
            await active.until_caught_up()
            await asyncio.sleep(5)
            assert lag_of(standby) < 2

    play(scenario)


def test_the_lag_that_a_standby_tells_grows_while_nobody_renews() -> None:
    """The active process is dead, and the standby can't write: the lease stays with nobody."""

    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            await asyncio.sleep(5)
            died = world.clock.now()
            world.plan.fail_next("control.acquire_lease", LOST, times=20_000)
            await active.die()
            before = 0.0
            while world.clock.now() < died + 60:
                await asyncio.sleep(1)
                gone = world.clock.now() - died
                assert lag_of(standby) >= before
                before = lag_of(standby)
                assert gone <= 7 or gone - 1 < before < gone + 4
            standby.pipeline.stop()

    play(scenario)


def test_a_standby_that_can_not_read_the_control_table_lets_the_last_known_lag_grow() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as active, Service(world) as standby:
            await active.until_caught_up()
            await asyncio.sleep(5)
            cut = world.clock.now()
            standby.process.connection.fails = LOST
            while world.clock.now() < cut + 100:
                await asyncio.sleep(1)
                gone = world.clock.now() - cut
                assert gone <= 7 or gone - 1 < lag_of(standby) < gone + 4
            assert standby.report.status().active is None, "who is active is not known any more"
            assert standby.report.status().active_since is None
            assert active.report.status().lag.caught_up
            standby.process.connection.fails = None
            await asyncio.sleep(5)
            assert lag_of(standby) < 2
            assert standby.report.status().active == active.pipeline.holder.owner

    play(scenario)


def test_after_an_orderly_stop_of_all_processes_the_next_one_knows_the_lag_before_it_reads() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
        await asyncio.sleep(100)
        world.plan.fail_next("control.acquire_lease", LOST, times=3)
        async with Service(world) as service:
            assert service.report.status().lag.seconds is None, "nobody has told it yet"
            seen = []
            while service.pipeline.replicator is None:
                await asyncio.sleep(0.1)
                seen.append(lag_of(service))
            assert all(99 < seconds < 110 for seconds in seen)
            assert 99 < lag_of(service) < 110
            await service.until_caught_up()

    play(scenario)


def test_the_first_start_of_all_has_no_lag_to_tell_before_its_flow_runs() -> None:
    async def scenario(world: World) -> None:
        now = world.clock.now()
        world.plan.outage("streams", now, now + 60, LOST)
        async with Service(world) as service:
            await until(lambda: service.pipeline.holder.lease is not None)
            await asyncio.sleep(30)
            status = service.report.status()
            assert status.state is PipelineState.STARTING
            assert status.lag.seconds is None
            assert not status.lag.caught_up
            await service.until_caught_up()

    play(scenario)


def test_a_new_tenure_does_not_tell_what_an_older_one_of_its_process_knew() -> None:
    """While it starts, its renewals leave what the former owner has told."""

    async def scenario(world: World) -> None:
        async with Service(world) as first:
            await first.until_caught_up()
            first.process.connection.fails = LOST
            async with Service(world) as second:
                await second.until_caught_up()
                first.process.connection.fails = None
                await asyncio.sleep(1000)
            told = world.control.of("source--replica").lease
            assert told is not None
            now = world.clock.now()
            world.plan.outage("streams", now, now + 30, LOST)
            world.plan.fail_next("control.adopt_progress", LOST, times=8)  # a start that takes its time
            while first.pipeline.replicator is None:
                await asyncio.sleep(0.1)
                lease = world.control.of("source--replica").lease
                assert lease is not None
                assert lease.behind_since >= told.behind_since
                assert lag_of(first) < 100
            await first.until_caught_up()

    play(scenario)


def test_every_process_names_the_active_one() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as first:
            await first.until_caught_up()
            async with Service(world) as second:
                await asyncio.sleep(5)
                owner = first.pipeline.holder.owner
                here, there = first.report.status(), second.report.status()
                assert here.active == there.active == here.process == owner != there.process
                assert here.active_since == there.active_since is not None
                assert here.active_since < here.now - timedelta(seconds=5)
                died = world.clock.now()
                await first.die()
                await second.until_caught_up()
                here = second.report.status()
                assert here.active == here.process == second.pipeline.holder.owner != owner
                assert here.active_since is not None
                assert here.active_since > moment(died), "it took over"

    play(scenario)


def test_nobody_is_active_after_a_stop_in_order() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as first:
            await first.until_caught_up()
        world.plan.fail_next("control.acquire_lease", LOST, times=5)
        async with Service(world) as second:
            await until(lambda: second.pipeline.holder.record is not None)
            assert second.report.status().active is None
            assert second.report.status().active_since is None
            await second.until_caught_up()

    play(scenario)


def test_since_when_it_is_paused_is_kept_through_restarts_and_told_by_every_process() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            assert service.report.status().paused_since is None
            asked = moment(world.clock.now())
            await Pause(service.pipeline).pause()
            since = service.report.status().paused_since
            assert since is not None
            assert abs(since - asked) < timedelta(seconds=0.1)
            await asyncio.sleep(60)
            await Pause(service.pipeline).pause()
            assert service.report.status().paused_since == since, "it was paused already"
        await asyncio.sleep(60)
        async with Service(world) as active, Service(world) as standby:
            await until(lambda: active.report.status().state is PipelineState.PAUSED)
            await asyncio.sleep(5)
            assert active.report.status().paused_since == standby.report.status().paused_since == since
            await Pause(standby.pipeline).resume()
            await active.until_caught_up()
            assert active.report.status().paused_since is None
            await asyncio.sleep(5)
            assert standby.report.status().paused_since is None

    play(scenario)


def test_a_pause_that_a_hand_has_set_begins_when_it_is_seen() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await service.adapters.control.set_paused(True)
            await until(lambda: service.report.status().state is PipelineState.PAUSED)
            since = service.report.status().paused_since
            await asyncio.sleep(30)
            assert service.report.status().paused_since == since is not None
            async with Service(world) as standby:
                await until(lambda: standby.report.status().active is not None)
                seen = standby.report.status().paused_since
                assert seen is not None, "a null would say that it is not paused"
                assert timedelta(0) <= moment(world.clock.now()) - seen < timedelta(seconds=60)

    play(scenario)


def test_a_standby_warns_of_the_retention_too() -> None:
    async def scenario(world: World) -> None:
        long = {"poll_interval_seconds": 60, "lease_seconds": 300}
        async with Service(world, **long) as active, Service(world, **long) as standby:
            await active.until_caught_up()
            await Pause(active.pipeline).pause()
            await asyncio.sleep(19 * 3600)
            for service in (active, standby):
                (warning,) = service.report.status().warnings
                assert "19.0 hours behind, and the pipeline is paused: resume it" in warning

    play(scenario)
