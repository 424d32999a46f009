"""Even shares among processes with the same pipelines: asks for what others have too much of, and hands over.

Nothing but the leases carries it. An owner that never answers, as one of an earlier version, keeps what it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from service.fleet.runner import PipelineRunner
from service.fleet.share import may_move, wanted
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pipeline import Pipeline
from service.ports import Clock

LOOK_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 15.0
"""What is not handed over in this time is not asked for any more."""
REFUSED_SECONDS = 60.0
"""And not again for so long."""
DRAIN_SECONDS = 10.0


class Shares:
    """One process's part. Owned by the fleet, in its event loop."""

    def __init__(self, me: str, runners: Mapping[str, PipelineRunner], clock: Clock) -> None:
        self._me = me
        self._runners = runners
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._heard: dict[str, tuple[int, float]] = {}
        """How often each pipeline was asked for, and since when that is known."""
        self._handed: dict[str, float] = {}

    async def keep_even(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            self.step()

    def step(self) -> None:
        now = self._clock.monotonic()
        pipelines = {name: runner.pipeline for name, runner in self._runners.items() if runner.pipeline is not None}
        owners = {name: owner for name, each in pipelines.items() if (owner := self._owner(each))}
        for name, pipeline in pipelines.items():
            self._answer(name, pipeline, owners, now)
        self._ask(pipelines, owners, now)

    def _owner(self, pipeline: Pipeline) -> str:
        """Who has it, or gets it; nobody: nothing is known, or it is free."""
        if pipeline.holder.lease is not None:
            return pipeline.successor or self._me
        record = pipeline.holder.record
        if record is None or not record.generation:
            return ""
        return record.reserved_for if record.is_released else record.owner

    def _answer(self, name: str, pipeline: Pipeline, owners: dict[str, str], now: float) -> None:
        record = pipeline.holder.record
        if pipeline.holder.lease is None or record is None:
            self._heard.pop(name, None)
            self._handed.pop(name, None)
            return
        if pipeline.successor:
            if now - self._handed.setdefault(name, now) > DRAIN_SECONDS:
                pipeline.hand_over(pipeline.successor)
            return
        self._handed.pop(name, None)
        asks, since = self._heard.get(name, (0, now))
        if asks != record.asks:
            since = now
        self._heard[name] = (record.asks, since)
        if not record.wanted_by or now - since > ANSWER_SECONDS or not _can_be_handed_over(pipeline):
            return
        has = Counter(owners.values())
        if may_move(has[self._me], has[record.wanted_by]):
            pipeline.hand_over(record.wanted_by)
            owners[name] = record.wanted_by

    def _ask(self, pipelines: Mapping[str, Pipeline], owners: Mapping[str, str], now: float) -> None:
        for name, since in list(self._asked.items()):
            pipeline = pipelines.get(name)
            if pipeline is None or not pipeline.holder.is_wanted:  # it is ours now
                del self._asked[name]
            elif now - since > ANSWER_SECONDS:
                pipeline.holder.is_wanted = False
                del self._asked[name]
                self._refused[name] = now
        self._refused = {name: since for name, since in self._refused.items() if now - since <= REFUSED_SECONDS}
        for name in wanted(self._me, owners, self._asked, self._refused):
            pipelines[name].holder.is_wanted = True
            self._asked[name] = now


def _can_be_handed_over(pipeline: Pipeline) -> bool:
    """A job keeps its process, and so does a pipeline that is not simply running."""
    flow = pipeline.replicator
    return pipeline.state is PipelineState.RUNNING and flow is not None and not flow.has_jobs
