"""Starts replays, goes on with one after a restart, cancels and shows them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Unpack

import orjson

from service.errors import HaltError, PositionError, RetryableError, ShardGoneError
from service.operations.console import ConflictError, InvalidError
from service.operations.documents.jobs import JobState, Replay, ReplayStart
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.pipeline.pipeline import Pipeline
from service.operations.replay.position import ReplayPosition
from service.operations.replay.range import ReplayRange
from service.operations.replay.run import ReplayRun
from service.pipeline_state import Lease
from service.ports import FixedStore
from service.replication.flow import Flow
from service.replication.job_flow import JobFlow
from service.replication.replicator import Replicator

BESIDE_LAMBDA = "Lambda reads this pipeline's stream now, and beside it nothing can be replayed"
RANGE_GONE = "its range is not in the control table any more, or was changed there: begin another replay"
KIND = "replay"


class ReplayMemory:
    """Keeps the range of a replay in the control table, beside its job: written once, before the job is.

    A table can have thousands of shards, more than the job's document has room for, and that one is saved every second.
    A crash before the job is there leaves a range that nobody reads; a later replay removes it. Raises RetryableError.
    """

    def __init__(self, store: FixedStore) -> None:
        self._store = store

    async def keep(self, job_id: str, place: ReplayPosition) -> None:
        """May be repeated."""
        await self._store.put_fixed(KIND, job_id, orjson.dumps(place.fixed()))

    async def place(self, job_id: str, saved: Mapping[str, Any]) -> ReplayPosition | None:
        """From where the replay goes on; None when its range is not there any more, or somebody has changed it."""
        if "shards" in saved:
            former = ReplayPosition.of_former_version(saved)
            await self.keep(job_id, former)
            return former
        fixed = await self._store.get_fixed(KIND, job_id)
        try:
            return None if fixed is None else ReplayPosition.of(saved, orjson.loads(fixed))
        except (LookupError, TypeError, ValueError):
            return None

    async def forget_before(self, job_id: str) -> None:
        """The ranges of older jobs, as far as that can be done now: only the newest replay can be unfinished."""
        with contextlib.suppress(RetryableError):
            await self._store.forget_fixed_before(KIND, job_id)


class Replays(JobRunner[Replay]):
    """One replay at a time."""

    kind = KIND
    model = Replay
    goes_on = "it goes on when that is mended, if the stream is still the same, or is cancelled"
    failures = (PositionError, HaltError)

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._memory = ReplayMemory(pipeline.outside.adapters.control)
        self._place_of_next: ReplayPosition | None = None
        """Of the job whose run is made next."""

    async def start(self, flow: Flow, **start: Unpack[ReplayStart]) -> Replay:
        """From exactly one of a sequence number, a time and the trim horizon.

        Raises ConflictError while one runs, InvalidError, TrimmedAlreadyError, UnavailableNowError.
        """
        if sum(start.get(name) is not None for name in ("sequence_number", "from_time", "from_")) != 1:
            raise InvalidError("a replay begins at exactly one of `sequence_number`, `from_time` and `from`")

        assert isinstance(flow, Replicator)  # beside Lambda, nothing is replayed

        async def make() -> Unfinished[Replay]:
            place, owner = await self._range(flow, start)
            job = self._log.begun(**start | {"shard_id": owner})
            await self._memory.keep(job.id, place)
            self._place_of_next = place
            return job, place.saved()

        job, _ = await self._start(flow, make)
        await self._memory.forget_before(job.id)
        return job

    async def _range(self, flow: Replicator, start: ReplayStart) -> tuple[ReplayPosition, str | None]:
        adapters = self._pipeline.outside.adapters
        try:
            stream = await adapters.streams.describe()
        except ShardGoneError as error:
            raise ConflictError(f"the stream is gone: {error}") from error
        found = ReplayRange(flow, adapters.streams, adapters.clock, stream)
        if (number := start.get("sequence_number")) is not None:
            return await found.from_sequence(number, start.get("shard_id"))
        if (from_time := start.get("from_time")) is not None:
            return await found.from_time(from_time.timestamp()), None
        return found.from_horizon(), None

    async def _taken_up(
        self, flow: JobFlow, lease: Lease, unfinished: Unfinished[Replay] | None
    ) -> Unfinished[Replay] | None:
        if unfinished is None:
            return None
        job, saved = unfinished
        stream_arn = saved["stream_arn"]
        error = f"the stream {stream_arn} was switched off or re-created: its history can't be replayed any more"
        if flow.window.is_shared:
            error = BESIDE_LAMBDA
        elif stream_arn == self._pipeline.outside.source.stream_arn:
            self._place_of_next = await self._memory.place(job.id, saved)
            if self._place_of_next is not None:
                return unfinished
            error = RANGE_GONE
        await self._end_aside(unfinished, lease, JobState.FAILED, error)
        return None

    def _make_run(self, flow: JobFlow, job: Replay, place: dict[str, Any]) -> ReplayRun:
        assert self._place_of_next is not None
        assert isinstance(flow, Replicator)  # it reads the stream: beside Lambda, nothing is replayed
        return ReplayRun(self._pipeline, flow, job, self._place_of_next)

    def _told(self, job: Replay) -> str:
        return f"{job.records_read} records read, {job.records_applied} applied, {job.records_unchanged} unchanged"
