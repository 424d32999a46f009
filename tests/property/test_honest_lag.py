"""I8: lag is never zero while a record is unapplied, and grows while the stream can't be read."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from service.errors import UnavailableError
from service.model import Page
from service.operations.documents.status import PipelineState
from tests.fakes.clock import EPOCH, run_virtual
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.stream import Timing
from tests.support.histories.actor import Actor
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import RESHARDS, Setting, histories, settings_of, slow

# What the service can't know is not its lie: a quiet shard is polled once a second, and two polls may be hiccups.
UNKNOWABLE_SECONDS = 3.6
# The end of a shard is found with its next poll; a child is looked for every half second, and read from its start.
CHILD_SECONDS = 4.0
CALM = Timing(cut_pages=0.4, late_ends=0.5)


class Hiccups:
    """A stream that sends up to two empty pages in a row where there is more (E4)."""

    def __init__(self, port: object, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._empty: dict[str, int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)

    async def read(self, shard_id: str, iterator: str, limit: int) -> Page:
        empty = self._empty.get(shard_id, 0)
        if empty < 2 and self._random.random() < 0.6:
            self._empty[shard_id] = empty + 1
            return Page([], [], iterator)
        self._empty[shard_id] = 0
        return await self._port.read(shard_id, iterator, limit)


async def observe(stage: Stage, actor: Actor, *, slack: float) -> None:
    """Look at the status again and again, and at the truth beside it."""
    while True:
        await asyncio.sleep(0.11)
        status = actor.report.status()
        if status.lag.seconds is None or status.state is not PipelineState.RUNNING:
            continue
        late = stage.watch.unsettled(seen_before=stage.world.clock.now() - slack)
        if late:
            assert status.lag.seconds > 0, f"lag 0, and unapplied: {late[0]}"
            assert not status.lag.caught_up, f"caught up, and unapplied: {late[0]}"
        if status.lag.unapplied_records:
            assert status.lag.seconds > 0
            assert not status.lag.caught_up
            assert status.lag.oldest_unapplied_at is not None


@slow(1)
@given(
    settings_of(start_at="trim_horizon", preset=0, has_faults=False, is_late=False),
    histories(min_size=15),
    st.booleans(),
)
def test_lag_is_never_zero_while_a_record_is_unapplied(setting, history, is_slow):
    async def scenario() -> None:
        rates = {"replica": Rates(throttled=0.4, unavailable=0.2, unprocessed=0.3)} if is_slow else {}
        stage = Stage(setting, plan=FaultPlan(setting.seed, rates), timing=CALM)
        stage.streams = lambda port: Hiccups(port, setting.seed)
        for step in history[: len(history) // 2]:  # a backlog: the first hiccups come in front of old records
            await stage.apply(step)
        await asyncio.sleep(2 * UNKNOWABLE_SECONDS)
        actor = await stage.open()
        looking = asyncio.create_task(observe(stage, actor, slack=UNKNOWABLE_SECONDS))
        for step in history[len(history) // 2 :]:
            await stage.perform(step)
            assert not looking.done(), looking.result()
        await stage.until_caught_up()
        assert not looking.done(), looking.result()
        looking.cancel()
        await stage.close()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(
    settings_of(start_at="trim_horizon", preset=0, has_faults=False, is_late=False),
    histories(RESHARDS, RESHARDS, min_size=15),
    st.booleans(),
)
def test_nothing_is_caught_up_while_a_listed_open_shard_is_unread(setting, history, is_late):
    """A child that is listed is read, or waits for its parent, or the pipeline is not caught up."""

    async def scenario() -> None:
        timing = Timing(child_delay=(0.0, 5.0), ending_delay=(0.0, 8.0), cut_pages=0.4) if is_late else CALM
        stage = Stage(setting, timing=timing)
        actor = await stage.open()

        async def observe_shards() -> None:
            while True:
                await asyncio.sleep(0.11)
                flow, now = actor.pipeline.replicator, stage.world.clock.now()
                if flow is None or not actor.report.status().lag.caught_up:
                    continue
                listed = [
                    shard
                    for shard in stage.world.source.stream.shards.values()
                    if shard.listed_at < now - CHILD_SECONDS
                ]
                for shard in listed:
                    reader = flow.readers.readers.get(shard.shard_id)
                    is_ended = shard.shard_id in flow.readers.ended_at
                    assert is_ended or (reader is not None and reader.tip_seen_at is not None), f"unread: {shard}"
                assert not stage.watch.unsettled(seen_before=now - CHILD_SECONDS - (5 if is_late else 0))

        looking = asyncio.create_task(observe_shards())
        for step in history:
            await stage.perform(step)
            assert not looking.done(), looking.result()
        await stage.until_caught_up()
        assert not looking.done(), looking.result()
        looking.cancel()
        await stage.close()

    run_virtual(scenario, seed=setting.seed)


@slow()
@given(st.integers(0, 2**32 - 1), st.floats(10, 600), st.booleans(), st.integers(1, 3))
def test_lag_grows_with_time_while_the_stream_can_not_be_read(seed, seconds, has_changes, shards):
    async def scenario() -> None:
        stage = Stage(Setting(seed, shards=shards, is_late=False))
        start = 40.0
        lost = UnavailableError("no connection", "EndpointConnectionError")
        stage.world.plan.outage("streams", EPOCH + start, EPOCH + start + seconds, lost)
        actor = await stage.open()
        stage.world.source.put({"key": {"S": "a"}, "value": {"N": "1"}})
        await asyncio.sleep(start - 1)
        assert actor.report.status().lag.caught_up
        if has_changes:
            await asyncio.sleep(3)
            stage.world.source.put({"key": {"S": "a"}, "value": {"N": "2"}})
        before = None
        while stage.world.clock.now() < EPOCH + start + seconds - 1:
            await asyncio.sleep(1)
            gone = stage.world.clock.now() - EPOCH - start
            lag = actor.report.status().lag
            assert lag.seconds is not None
            assert gone - 3 <= lag.seconds <= gone + 3
            assert before is None or lag.seconds >= before
            assert not lag.caught_up or gone < 5
            before = lag.seconds
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)


@slow()
@given(st.integers(0, 2**32 - 1), st.floats(5, 60), st.floats(-30, 30))
def test_lag_is_never_below_zero_and_never_zero_with_something_unapplied_whatever_the_clocks(seed, seconds, skew):
    """E32: the service's clock may be behind the source's."""

    async def scenario() -> None:
        stage = Stage(Setting(seed, is_late=False), skews=(skew,))
        actor = await stage.open()
        await asyncio.sleep(1)
        now = stage.world.clock.now()
        stage.world.plan.outage("replica", now, now + seconds)
        stage.world.source.put({"key": {"S": "a"}, "value": {"N": "1"}})
        await asyncio.sleep(3)
        while stage.world.clock.now() < now + seconds - 1:
            lag = actor.report.status().lag
            assert lag.seconds is not None
            assert lag.seconds > 0
            assert lag.unapplied_records == 1
            await asyncio.sleep(1)
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario, seed=seed)
