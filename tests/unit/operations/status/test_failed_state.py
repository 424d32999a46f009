"""A failed pipeline: what it still shows, and that it is not ready."""

from __future__ import annotations

import asyncio

from service.errors import ChangeError, HaltError
from service.events import Event, Halted
from service.operations.documents.status import PipelineState, ShardState
from service.operations.status.counters import Families, Totals
from service.ports import Clock
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.known_pipeline import play, put, unready

ITEM = {"key": {"S": "a"}, "value": {"S": "1"}}


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
            await service.letters.discard(letters[0]["id"])
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


def test_what_to_do_about_a_stream_that_was_switched_off_is_true_after_it_was_switched_on_again() -> None:
    async def scenario(world: World) -> None:
        async with Service(world) as service:
            await service.until_caught_up()
            world.source.recreate_stream()
            await until(lambda: service.pipeline.state is PipelineState.FAILED)
            reason = service.report.status().reason or ""
            assert "; if the table's stream is off now, switch it on; a snapshot mends it: POST /snapshot" in reason

    play(scenario)
