"""The last 24 hours of lag, throughput and latency, so that who is paged sees what happened before: `GET /history`.

Rings of fixed size: steps of 5 seconds for ten minutes, of a minute for two hours, of ten minutes for a day; some 28 KB
a pipeline, whatever passes. A crash costs it; a new process begins with nothing.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from service.events import ChangesSettled, Event, PageRead
from service.operations.documents.status import History, HistoryStep, PipelineState
from service.operations.documents.utc_time import moment
from service.ports import Clock

STEP_SECONDS = 5.0
_STATES = list(PipelineState)
STEPS = ((1, 120), (12, 120), (120, 144))
"""For each ring: how many of the smallest steps one of its steps is made of, and how many of those it keeps."""


@dataclass(slots=True)
class Step:
    """What happened in some seconds. NaN: not known."""

    at: float = math.nan
    """When it began, in seconds since the epoch."""
    seconds: float = 0.0
    lag: float = math.nan
    """The longest that was seen."""
    read: float = 0.0
    applied: float = 0.0
    latency_sum: float = 0.0
    latency_count: float = 0.0
    latency_max: float = 0.0
    state: float = 0.0
    """In the end of it: its place among the states, since a ring holds numbers only."""

    def add(self, later: Step) -> None:
        self.at = later.at if math.isnan(self.at) else self.at
        self.lag = later.lag if math.isnan(self.lag) else max(self.lag, later.lag)  # a NaN is never the greater one
        self.latency_max = max(self.latency_max, later.latency_max)
        self.seconds += later.seconds
        self.read += later.read
        self.applied += later.applied
        self.latency_sum += later.latency_sum
        self.latency_count += later.latency_count
        self.state = later.state

    def document(self) -> HistoryStep:
        return HistoryStep(
            at=moment(self.at),
            seconds=round(self.seconds, 3),
            state=_STATES[int(self.state)],
            lag_seconds=None if math.isnan(self.lag) else round(self.lag, 3),
            records_read_per_second=round(self.read / self.seconds, 3) if self.seconds else 0.0,
            records_applied_per_second=round(self.applied / self.seconds, 3) if self.seconds else 0.0,
            latency_mean_seconds=round(self.latency_sum / self.latency_count, 3) if self.latency_count else None,
            latency_max_seconds=round(self.latency_max, 3) if self.latency_count else None,
        )


class _Ring:
    """The last steps of one length, as bare numbers."""

    def __init__(self, made_of: int, kept: int) -> None:
        self._made_of = made_of
        self._width = len(fields(Step))
        self._numbers = array("d", bytes(8 * self._width * kept))
        self._kept = kept
        self._count = 0
        self._growing = Step()
        self._parts = 0

    def add(self, step: Step) -> None:
        self._growing.add(step)
        self._parts += 1
        if self._parts == self._made_of:
            start = self._count % self._kept * self._width
            self._numbers[start : start + self._width] = array("d", astuple(self._growing))
            self._count += 1
            self._growing, self._parts = Step(), 0

    @property
    def oldest(self) -> int:
        """The number, in the smallest steps since the beginning, at which what is kept begins."""
        return max(0, self._count - self._kept) * self._made_of

    def up_to_whole(self, number: int) -> int:
        """The first end of one of its steps at or after such a number."""
        return -(-number // self._made_of) * self._made_of

    def steps(self, start: int, end: float) -> Iterator[Step]:
        """Oldest first, between two such numbers; what has not become a whole step yet is left out."""
        for index in range(max(start, self.oldest) // self._made_of, self._count):
            if (index + 1) * self._made_of <= end:
                place = index % self._kept * self._width
                yield Step(*self._numbers[place : place + self._width])


class Recorder:
    """An observer of one pipeline; somebody closes a step every few seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rings = [_Ring(made_of, kept) for made_of, kept in STEPS]
        self._growing = Step(at=clock.now())
        self._began = clock.monotonic()

    def observe(self, event: Event) -> None:
        step = self._growing
        if isinstance(event, PageRead):
            step.read += event.records
        elif isinstance(event, ChangesSettled):
            step.applied += event.records - event.skipped - event.dead_lettered
            if event.latencies:
                step.latency_sum += sum(event.latencies)
                step.latency_count += len(event.latencies)
                step.latency_max = max(step.latency_max, *event.latencies)

    def record_once(self, state: PipelineState, lag_seconds: float | None) -> None:
        """Close the step that has grown until now: every STEP_SECONDS. State and lag as they are now."""
        step, now = self._growing, self._clock.monotonic()
        step.seconds = now - self._began
        step.state = _STATES.index(state)
        step.lag = math.nan if lag_seconds is None else lag_seconds
        for ring in self._rings:
            ring.add(step)
        self._growing, self._began = Step(at=self._clock.now()), now

    def history(self) -> History:
        """Oldest first; each moment once, in the shortest steps that are left of it."""
        found: list[Step] = []
        end = math.inf
        for ring, longer in zip(self._rings, [*self._rings[1:], None], strict=True):
            start = longer.up_to_whole(ring.oldest) if longer else 0
            found[:0] = ring.steps(start, end)
            end = start
        return History(items=[step.document() for step in found])
