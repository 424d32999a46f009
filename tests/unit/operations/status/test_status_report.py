"""The status document and readiness, field by field, for pipelines whose state the test knows (E32, E75, E77)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.errors import ChangeError, HaltError, ThrottledError
from service.events import Event, Halted
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState, Role, ShardState
from service.operations.pipeline.pause import Pause
from service.operations.status.counters import Families, Totals
from service.operations.status.readiness import not_ready_reason
from service.ports import Clock
from tests.fakes.clock import run_virtual
from tests.fakes.service import Service, until
from tests.fakes.world import World

ITEM = {"key": {"S": "a"}, "value": {"S": "1"}}


def unready(service: Service) -> str | None:
    report = service.report
    return not_ready_reason(service.pipeline.state, report.reason(), report.vital(), 0.0, report.control_age())


def put(world: World, count: int) -> None:
    for number in range(count):
        world.source.put({"key": {"S": f"k{number}"}, "value": {"N": str(number)}})


def play(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(World())

    run_virtual(run)


async def outage(world: World, port: str, seconds: float) -> None:
    now = world.clock.now()
    world.plan.outage(port, now, now + seconds)


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
        async with Service(world) as service:
            await service.until_caught_up()
            pause = Pause(service.pipeline, service.adapters)
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


def test_a_throttling_replica_is_a_warning_that_passes() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            throttle = ThrottledError("slow down", "ThrottlingException")
            world.plan.fail_next("replica.write_batch", throttle, times=3)
            put(world, 3)
            await service.until_caught_up()
            await until(lambda: service.report.status().totals.items_written == 3)
            status = service.report.status()
            assert status.totals.retries >= 3
            assert any("throttles" in warning for warning in status.warnings)
            await asyncio.sleep(120)
            assert not service.report.status().warnings

    play(scenario)


@pytest.mark.parametrize(("skew", "told"), [(-120.0, " s behind AWS's"), (3600.0, " s ahead of AWS's")])
def test_a_clock_that_is_off_is_a_warning_and_a_figure(skew: float, told: str) -> None:
    async def scenario(world: World) -> None:
        world.dates_answers = True
        async with Service(world, world.process(skew=skew)) as service:
            await service.until_caught_up()
            await asyncio.sleep(30)
            status = service.report.status()
            assert status.clock_offset_seconds is not None
            assert abs(status.clock_offset_seconds + skew) < 2
            (warning,) = status.warnings
            assert "NTP" in warning
            assert told in warning

    play(scenario)


@pytest.mark.parametrize("skew", [0.0, -28.0, 28.0])
def test_a_clock_that_is_nearly_right_is_no_warning(skew: float) -> None:
    async def scenario(world: World) -> None:
        world.dates_answers = True
        async with Service(world, world.process(skew=skew)) as service:
            await service.until_caught_up()
            await asyncio.sleep(30)
            assert not service.report.status().warnings

    play(scenario)


def test_the_offset_is_null_until_an_answer_has_told_it() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            assert service.report.status().clock_offset_seconds is None

    play(scenario)


def test_a_sequence_attribute_that_is_turned_off_is_a_warning_for_good() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, sequence_attribute="") as service:
            await service.until_caught_up()
            (warning,) = service.report.status().warnings
            assert warning.startswith("DYNAMIRROR_SEQUENCE_ATTRIBUTE is empty")

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


def test_a_gap_is_failed_not_ready_and_kept_through_a_restart() -> None:
    """E7, E74: trimmed before it was read."""

    async def scenario(world: World) -> None:
        world.source.put(ITEM)
        async with Service(world, start_at="trim_horizon") as service:
            await service.until_caught_up()
        put(world, 5)
        shard = world.source.stream.open_shards[0]
        world.source.stream.trim(shard.shard_id)
        for _ in range(2):
            async with Service(world) as service:
                await until(lambda: service.pipeline.state is PipelineState.FAILED)
                status = service.report.status()
                assert len(status.gaps) == 1
                assert status.gaps[0].shard_id == shard.shard_id
                assert "snapshot" in (unready(service) or "")

    play(scenario)


def test_the_lag_of_a_failed_pipeline_grows_from_where_it_had_come() -> None:
    """I8, E9: the stream is gone while it is read."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            world.source.stream.vanish()
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            await asyncio.sleep(100)
            status = service.report.status()
            assert status.lag.seconds is not None
            assert 95 < status.lag.seconds < 140
            assert not status.lag.caught_up
            assert unready(service) is not None

    play(scenario)


def test_a_restart_while_paused_goes_on_with_the_lag() -> None:
    """I8: the pause, and what it holds back, are as old as they were before."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await Pause(service.pipeline, service.adapters).pause()
            await asyncio.sleep(100)
        put(world, 1)
        for minutes in (1, 2):
            await asyncio.sleep(60)
            async with Service(world) as service:
                await until(lambda: service.pipeline.state is PipelineState.PAUSED)
                await service.flow()
                status = service.report.status()
                assert status.lag.seconds is not None
                assert 100 + 60 * minutes - 5 < status.lag.seconds < 100 + 60 * minutes + 20
                if minutes == 2:
                    await Pause(service.pipeline, service.adapters).resume()
                    await service.until_caught_up()
                    seconds = service.report.status().lag.seconds
                    assert seconds is not None
                    assert seconds < 2

    play(scenario)


def test_a_restart_while_the_stream_can_not_be_read_goes_on_with_the_lag() -> None:
    """I8; the first process is killed, and tells nothing at its end."""

    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            await service.die()
        await outage(world, "streams", 10_000)
        put(world, 1)
        await asyncio.sleep(300)
        async with Service(world) as service:
            await service.flow()
            await asyncio.sleep(5)
            status = service.report.status()
            assert status.shards == []
            assert status.lag.seconds is not None
            assert 300 < status.lag.seconds < 340
            assert not status.lag.caught_up

    play(scenario)


def test_a_shard_that_is_found_later_counts_from_then() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
        await asyncio.sleep(3600)
        async with Service(world) as service:
            await service.until_caught_up()
            world.source.stream.split(world.source.stream.open_shards[0].shard_id)
            await until(lambda: len(service.report.status().shards) == 3)
            seconds = service.report.status().lag.seconds
            assert seconds is not None
            assert seconds < 60

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


def test_a_table_that_may_not_be_read_is_a_warning_while_a_job_waits_for_it() -> None:
    async def scenario(world: World) -> None:
        async with Service(world, lease_seconds=3600) as service:
            put(world, 5)
            await service.until_caught_up()
            await outage(world, "source", 300)
            job = await service.verifications.start(await service.flow())
            await asyncio.sleep(60)
            assert any("denied" in warning for warning in service.report.status().warnings)
            await asyncio.sleep(300)
            await service.ended(job.id)
            assert not service.report.status().warnings

    play(scenario)


class Heard(Totals):
    """The service's counters, which keep what they were told."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Families(), "pipeline", clock)
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)
        super().observe(event)


def test_a_failure_that_no_gap_explains_is_told_to_the_log() -> None:
    async def scenario(world: World) -> None:
        service = Service(world)
        service.totals = heard = Heard(service.process.clock)
        async with service:
            await service.until_caught_up()
            world.plan.fail_next("replica.write_batch", HaltError("an answer that nobody foresaw"))
            put(world, 1)
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            assert Halted("an answer that nobody foresaw") in heard.events
            assert service.report.status().reason == "an answer that nobody foresaw"

    play(scenario)


def test_a_failed_pipeline_still_shows_its_shards_and_its_dead_letters() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            world.replica.poison = lambda write: ChangeError("refused")
            put(world, 2)
            await until(lambda: service.report.status().dead_letters == 2)
            await service.until_caught_up()
            world.source.stream.vanish()
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            await asyncio.sleep(100)
            status = service.report.status()
            assert status.dead_letters == 2
            (shard,) = status.shards
            assert shard.last_read is not None
            assert (shard.records_read, shard.records_applied) == (2, 2)
            assert 95 < shard.lag_seconds < 140
            letters, _ = await service.letters.page(10, None)
            await service.letters.discard(None, letters[0]["id"])
            assert service.report.status().dead_letters == 1

        async with Service(world) as service:  # and one that finds the gap before it has read anything
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            assert service.report.status().dead_letters == 1

    play(scenario)


def test_the_shard_whose_history_is_lost_is_the_failed_one() -> None:
    async def scenario(world: World) -> None:
        world.source.put(ITEM)
        async with Service(world, start_at="trim_horizon") as service:
            await service.until_caught_up()
        put(world, 5)
        world.source.stream.trim(world.source.stream.open_shards[0].shard_id)
        async with Service(world) as service:
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            status = service.report.status()
            states = {shard.shard_id: shard.state for shard in status.shards}
            assert status.gaps[0].shard_id is not None
            assert states[status.gaps[0].shard_id] is ShardState.FAILED

    play(scenario)
