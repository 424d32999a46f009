"""The status document and readiness, field by field, for pipelines whose state the test knows (E32, E75, E77)."""

from __future__ import annotations

import asyncio

from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState, Role, ShardState
from service.operations.pipeline.pause import Pause
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import outage, play, put, unready


def test_a_running_pipeline_shows_what_it_has_done() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            put(world, 3)
            world.source.put({"key": {"S": "k0"}, "value": {"N": "7"}})
            await until(lambda: service.report.status().totals.records_read == 4)
            await asyncio.sleep(5)
            status = service.report.status()
            assert status.state is PipelineState.RUNNING
            assert status.role is Role.ACTIVE
            assert status.reason is None
            assert status.totals.records_applied == 4
            assert status.totals.items_written + status.totals.records_coalesced == 4
            assert status.lag.caught_up
            assert status.lag.seconds is not None
            assert status.lag.seconds < 1.5
            assert status.queue.records == 0
            assert status.queue.bytes == 0
            assert status.rates.records_read_per_second == 0.4
            assert status.rates.records_applied_per_second == 0.4
            assert status.source.stream_view_type == "NEW_AND_OLD_IMAGES"
            assert status.started_at < status.now
            shard = status.shards[0]
            assert shard.state is ShardState.READING
            assert shard.checkpoint == shard.last_read
            assert (shard.records_read, shard.records_applied) == (4, 4)
            assert unready(service) is None

    play(scenario)


def test_a_paused_pipeline_is_ready_and_its_lag_grows() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, poll_interval_seconds=5, lease_seconds=300) as service:
            await service.until_caught_up()
            pause = Pause(service.pipeline)
            await pause.pause()
            assert service.report.status().state is PipelineState.PAUSED
            await asyncio.sleep(3600)
            status = service.report.status()
            assert status.lag.seconds is not None
            assert 3590 < status.lag.seconds < 3610
            assert not status.lag.caught_up
            assert status.shards[0].state is ShardState.READING
            assert unready(service) is None
            assert not status.warnings
            await asyncio.sleep(18 * 3600)
            assert any("24 hours" in warning and "resume" in warning for warning in service.report.status().warnings)
            await pause.resume()
            assert unready(service) is None, "nobody was to read before"
            await service.until_caught_up()
            assert not service.report.status().warnings
            assert unready(service) is None

    play(scenario)


def test_a_full_queue_shows_its_bounds_and_is_no_dead_reader() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, queue_max_records=5, max_writes_per_second=0.05) as service:
            await service.until_caught_up()
            put(world, 40)
            await until(lambda: service.report.status().queue.records == 5)
            await asyncio.sleep(60)
            status = service.report.status()
            assert status.queue.records == status.queue.max_records == 5
            assert status.lag.unapplied_records >= 5
            assert status.lag.seconds is not None
            assert status.lag.seconds > 55
            assert status.lag.oldest_unapplied_at is not None
            assert not status.lag.caught_up
            assert status.shards[0].state is ShardState.READING
            assert unready(service) is None
            service.pipeline.stop()
            service.pipeline.stop()

    play(scenario)


def test_a_shard_that_can_not_be_read_is_failed_and_not_ready_within_30_seconds() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await outage(world, "streams", 600)
            await asyncio.sleep(20)
            assert unready(service) is None
            assert not service.report.status().lag.caught_up
            await asyncio.sleep(12)
            status = service.report.status()
            assert status.shards[0].state is ShardState.FAILED
            assert status.lag.seconds is not None
            assert status.lag.seconds > 28
            reason = unready(service)
            assert reason is not None
            assert status.shards[0].shard_id in reason
            assert "denied" in reason
            await asyncio.sleep(600)
            await service.until_caught_up()
            assert unready(service) is None
            assert service.report.status().shards[0].state is ShardState.READING

    play(scenario)


def test_a_replica_that_refuses_everything_is_no_poison_and_says_why() -> None:
    """E52: nothing becomes a dead letter, and it goes on by itself."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await outage(world, "replica", 300)
            put(world, 3)
            await asyncio.sleep(35)
            status = service.report.status()
            assert "denied" in (unready(service) or "")
            assert "denied" in (status.reason or "")
            assert status.dead_letters == 0
            assert status.lag.unapplied_records == 3
            assert status.lag.seconds is not None
            assert status.lag.seconds > 30
            await asyncio.sleep(300)
            await service.until_caught_up()
            status = service.report.status()
            assert unready(service) is None
            assert status.reason is None
            assert (status.dead_letters, status.totals.items_written) == (0, 3)

    play(scenario)


def test_settled_work_that_can_not_be_saved_is_not_ready() -> None:
    """E62: long before the lease ends, which such an outage ends too."""

    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=3600) as service:
            await service.until_caught_up()
            await outage(world, "control", 300)
            put(world, 1)
            await asyncio.sleep(40)
            status = service.report.status()
            assert status.totals.items_written == 1
            assert status.shards[0].checkpoint != status.shards[0].last_read
            assert "checkpointed" in (unready(service) or "")
            await asyncio.sleep(400)
            assert unready(service) is None
            assert service.report.status().shards[0].checkpoint == service.report.status().shards[0].last_read

    play(scenario)


def test_a_standby_is_ready_and_takes_over() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as first:
            await first.until_caught_up()
            async with Service(world) as second:
                await asyncio.sleep(5)
                status = second.report.status()
                assert status.state is PipelineState.STANDBY
                assert status.role is Role.STANDBY
                assert not status.lag.caught_up
                assert status.shards == []
                assert unready(second) is None
                await first.die()
                await second.until_caught_up()
                assert second.report.status().role is Role.ACTIVE

    play(scenario)


def test_a_pipeline_that_stops_is_not_ready() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, max_writes_per_second=0.1) as service:
            await service.until_caught_up()
            put(world, 3)
            await until(lambda: service.report.status().queue.records > 0)
            service.pipeline.stop()
            await asyncio.sleep(1)
            assert service.pipeline.state is PipelineState.STOPPING
            assert "stopping" in (unready(service) or "")

    play(scenario)


def test_a_running_job_is_shown_while_the_control_table_is_silent() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=3600) as service:
            put(world, 5)
            await service.until_caught_up()
            await outage(world, "replica", 600)  # so that the comparison can't come to its end
            job = await service.verifications.start(await service.flow())
            await outage(world, "control", 600)
            await asyncio.sleep(60)
            assert (await service.verifications.found(job.id)).state is JobState.RUNNING
            await asyncio.sleep(600)
            assert (await service.ended(job.id)).different == 0

    play(scenario)
