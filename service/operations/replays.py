"""Starts replays, goes on with one after a restart, cancels and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from service.control import Lease
from service.errors import HaltError, PositionError, ShardGoneError
from service.operations.console import ConflictError, InvalidError
from service.operations.job_runner import JobRunner, Unfinished
from service.operations.jobs import JobState, Replay
from service.operations.replay import ReplayRun
from service.operations.replay_place import Place
from service.operations.replay_range import ReplayRange
from service.replication.replicator import Replicator

BESIDE_LAMBDA = "Lambda reads this pipeline's stream now, and beside it nothing can be replayed"


class Replays(JobRunner[Replay]):
    """One replay at a time."""

    kind = "replay"
    model = Replay
    failures = (PositionError, HaltError)

    async def start(
        self,
        flow: Replicator,
        *,
        sequence_number: str | None = None,
        shard_id: str | None = None,
        from_time: datetime | None = None,
        from_: Literal["trim_horizon"] | None = None,
        dry_run: bool = False,
    ) -> Replay:
        """From exactly one of a sequence number, a time and the trim horizon.

        Raises ConflictError while one runs, InvalidError, TrimmedAlreadyError, UnavailableNowError.
        """
        if sum(start is not None for start in (sequence_number, from_time, from_)) != 1:
            raise InvalidError("a replay begins at exactly one of `sequence_number`, `from_time` and `from`")

        async def make() -> Unfinished[Replay]:
            place, owner = await self._place(flow, sequence_number, shard_id, from_time)
            job = Replay(
                id=self._log.new_id(),
                state=JobState.RUNNING,
                started_at=self._log.now(),
                sequence_number=sequence_number,
                shard_id=owner,
                from_time=from_time,
                from_=from_,
                dry_run=dry_run,
            )
            return job, place.saved()

        job, _ = await self._start(flow, make)
        return job

    async def _place(
        self, flow: Replicator, sequence_number: str | None, shard_id: str | None, from_time: datetime | None
    ) -> tuple[Place, str | None]:
        adapters = self._pipeline.outside.adapters
        try:
            stream = await adapters.streams.describe()
        except ShardGoneError as error:
            raise ConflictError(f"the stream is gone: {error}") from error
        found = ReplayRange(flow, adapters.streams, adapters.clock, stream)
        if sequence_number is not None:
            return await found.from_sequence(sequence_number, shard_id)
        if from_time is not None:
            return await found.from_time(from_time.timestamp()), None
        return found.from_horizon(), None

    async def _taken_up(
        self, flow: Replicator, lease: Lease, unfinished: Unfinished[Replay] | None
    ) -> Unfinished[Replay] | None:
        if unfinished is None:
            return None
        stream_arn = Place.of(unfinished[1]).stream_arn
        if flow.window.is_shared:
            await self._end_unfinished(unfinished, lease, BESIDE_LAMBDA)
            return None
        if stream_arn != self._pipeline.outside.source.stream_arn:
            gone = f"the stream {stream_arn} was switched off or re-created: its history can't be replayed any more"
            await self._end_unfinished(unfinished, lease, gone)
            return None
        return unfinished

    def _make_run(self, flow: Replicator, job: Replay, place: dict[str, Any]) -> ReplayRun:
        return ReplayRun(
            job=job,
            place=Place.of(place),
            flow=flow,
            adapters=self._pipeline.outside.adapters,
            settings=self._pipeline.settings,
        )

    def _told(self, job: Replay) -> str:
        return f"{job.records_read} records read, {job.records_applied} applied, {job.records_unchanged} unchanged"
