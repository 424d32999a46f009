"""What processes share of a control table in memory, and one process's calls to it, which a test can make fail."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.pipeline_state import DeadLetter, JobSlot, LeaseRecord, PipelineRecord, ReplicaClaim

Anything = TypeVar("Anything")


@dataclass
class FakePipeline:
    """One pipeline's items."""

    lease: LeaseRecord | None = None
    is_paused: bool = False
    paused_since: float = 0.0
    paused_by: str = ""
    progress_generation: int | None = None
    progress: PipelineRecord | None = None
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """The letters' ids by their identities."""
    settled: dict[str, float] = field(default_factory=dict)
    """When letters whose record comes again were discarded, by their identities."""
    last_try: dict[str, str] = field(default_factory=dict)
    count: int = 0
    is_counted: bool = False
    jobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    slots: dict[str, JobSlot] = field(default_factory=dict)
    fixed: dict[tuple[str, str], bytes] = field(default_factory=dict)


@dataclass
class FakeControlTable:
    """What several processes share."""

    pipelines: dict[str, FakePipeline] = field(default_factory=dict)
    claims: dict[str, ReplicaClaim] = field(default_factory=dict)
    """By the replica's ARN."""
    writes: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, pipeline: str) -> FakePipeline:
        return self.pipelines.setdefault(pipeline, FakePipeline())


@dataclass
class _Failure:
    error: BaseException
    on: str | None
    after: bool


class FakeCalls:
    """One process's calls. Every one gives other tasks their turn first."""

    def __init__(self, table: FakeControlTable | None = None, pipeline: str = "source--replica") -> None:
        self.table = FakeControlTable() if table is None else table
        self.pipeline = pipeline
        self.calls: list[str] = []
        self.before_call: Callable[[str], Awaitable[None]] | None = None
        self.after_call: Callable[[str], Awaitable[None]] | None = None
        self._failures: list[_Failure] = []

    @property
    def items(self) -> FakePipeline:
        return self.table.of(self.pipeline)

    def fail_next(self, error: BaseException, *, on: str | None = None, after: bool = False, times: int = 1) -> None:
        """Make the next calls (of the name `on`, or any) raise; `after` they have taken effect, as a lost answer."""
        self._failures += [_Failure(error, on, after) for _ in range(times)]

    def wrote(self, name: str, what: Anything) -> Anything:
        self.table.writes.append((name, what))
        return what

    def call(self, name: str) -> _Call:
        return _Call(self, name)

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        if self.before_call is not None:
            await self.before_call(name)
        else:
            await asyncio.sleep(0)
        self._fail(name, after=False)

    async def _end(self, name: str) -> None:
        self._fail(name, after=True)
        if self.after_call is not None:
            await self.after_call(name)

    def _fail(self, name: str, *, after: bool) -> None:
        for failure in self._failures:
            if failure.after == after and failure.on in (None, name):
                self._failures.remove(failure)
                raise failure.error


class _Call:
    """One call: the hook and the failures around it. A failure `after` hides the answer of a call that succeeded."""

    def __init__(self, store: FakeCalls, name: str) -> None:
        self._store = store
        self._name = name

    async def __aenter__(self) -> None:
        await self._store._begin(self._name)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            await self._store._end(self._name)


def check_finite(*numbers: float) -> None:
    for number in numbers:
        if not math.isfinite(number):
            raise ValueError(f"DynamoDB has no number {number}")
