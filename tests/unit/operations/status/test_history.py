"""The ring of the last 24 hours: nothing counted twice or lost, each moment once, and a size that never grows."""

from __future__ import annotations

import sys

import pytest

from service.events import ChangesSettled, PageRead
from service.model import ShardId
from service.operations.documents.status import HistoryStep, PipelineState
from service.operations.status.history import STEP_SECONDS, STEPS, Recorder
from tests.fakes.clock import FakeClock

SHARD = ShardId("shard")


class Recorded:
    def __init__(self) -> None:
        self.lag: float | None = 0.0
        self.state = PipelineState.RUNNING
        self.clock = FakeClock()
        self.recorder = Recorder(self.clock)

    def items(self) -> list[HistoryStep]:
        return self.recorder.history().items

    async def steps(self, count: int, *, records: int = 0) -> None:
        for _ in range(count):
            if records:
                self.recorder.observe(PageRead(SHARD, records, 1))
                self.recorder.observe(ChangesSettled(records, applied=records, latencies=[0.5] * records))
            await self.clock.sleep(STEP_SECONDS)
            self.recorder.record_once(self.state, self.lag)


async def test_a_step_says_what_happened_in_it() -> None:
    recorded = Recorded()
    recorded.lag = 2.5
    began = recorded.clock.now()
    recorded.recorder.observe(PageRead(SHARD, 20, 1))
    recorded.recorder.observe(ChangesSettled(10, applied=8, skipped=1, dead_lettered=1, latencies=[0.2, 0.4]))
    await recorded.steps(1)
    (step,) = recorded.items()
    assert step.at.timestamp() == began
    assert (step.seconds, step.lag_seconds) == (5.0, 2.5)
    assert (step.records_read_per_second, step.records_applied_per_second) == (4.0, 1.6)
    assert (step.latency_mean_seconds, step.latency_max_seconds) == (0.3, 0.4)


async def test_what_is_not_known_is_null() -> None:
    recorded = Recorded()
    recorded.lag = None
    await recorded.steps(1)
    (step,) = recorded.items()
    assert step.lag_seconds is None
    assert step.latency_mean_seconds is None
    assert step.latency_max_seconds is None


async def test_a_longer_step_keeps_the_longest_lag_and_skips_what_was_unknown() -> None:
    recorded = Recorded()
    for lag in (None, 3.0, 1.0, None, *[0.0] * 8):
        recorded.lag = lag
        await recorded.steps(1)
    recorded.lag = 0.0
    await recorded.steps(STEPS[0][1])
    assert recorded.items()[0].seconds == 60.0
    assert recorded.items()[0].lag_seconds == 3.0


@pytest.mark.parametrize("steps", [1, 11, 12, 119, 120, 121, 133, 1500, 1561, 17_280, 17_400, 40_000])
async def test_each_moment_of_a_day_is_told_once_without_a_hole(steps: int) -> None:
    recorded = Recorded()
    await recorded.steps(steps, records=3)
    items = recorded.items()
    for former, later in zip(items, items[1:], strict=False):
        assert later.at.timestamp() - former.at.timestamp() == pytest.approx(former.seconds)
    told = sum(step.seconds for step in items)
    assert told == pytest.approx(items[-1].at.timestamp() + items[-1].seconds - items[0].at.timestamp())
    # All of it, but for what is too old, or for a part of a longer step that is not whole yet.
    assert min(steps * STEP_SECONDS, 24 * 3600.0) - 600.0 <= told <= 24 * 3600.0 + 600.0
    assert sum(step.records_applied_per_second * step.seconds for step in items) == pytest.approx(
        3 * told / STEP_SECONDS
    )


async def test_a_step_says_the_state_in_the_end_of_it_and_a_longer_one_that_of_its_last_part() -> None:
    recorded = Recorded()
    recorded.state = PipelineState.STANDBY
    await recorded.steps(11)
    recorded.state = PipelineState.PAUSED
    await recorded.steps(1)
    assert [step.state.value for step in recorded.items()] == ["standby"] * 11 + ["paused"]
    await recorded.steps(STEPS[0][1])
    assert (recorded.items()[0].seconds, recorded.items()[0].state) == (60.0, PipelineState.PAUSED)


async def test_its_size_does_not_grow() -> None:
    recorded = Recorded()
    held = [sys.getsizeof(ring._numbers) for ring in recorded.recorder._rings]
    await recorded.steps(20_000, records=1)
    assert [sys.getsizeof(ring._numbers) for ring in recorded.recorder._rings] == held
    assert sum(held) < 32_000
    assert len(recorded.items()) <= sum(kept for _, kept in STEPS)


async def test_a_step_that_took_longer_counts_with_its_own_length() -> None:
    recorded = Recorded()
    recorded.recorder.observe(PageRead(SHARD, 100, 1))
    await recorded.clock.sleep(20)
    recorded.recorder.record_once(PipelineState.RUNNING, 0.0)
    (step,) = recorded.items()
    assert (step.seconds, step.records_read_per_second) == (20.0, 5.0)
