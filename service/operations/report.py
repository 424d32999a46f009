"""Writes the status document from a pipeline as it is at this moment; each field is looked up, none is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from service.config import Settings
from service.control import Gap
from service.model import ShardId
from service.operations.jobs import Verification
from service.operations.pipeline import Pipeline
from service.operations.readiness import PATIENCE_SECONDS, Vital, stalled_reason
from service.operations.status import (
    GapStatus,
    LagStatus,
    PipelineState,
    QueueStatus,
    ReplicaStatus,
    Role,
    ShardState,
    ShardStatus,
    SourceStatus,
    Status,
)
from service.operations.totals import Totals
from service.ports import Clock
from service.replication.lag import Lag, ShardView, lag_of, shard_lag
from service.replication.replicator import Replicator
from service.table_names import table_name, table_region

RETENTION_HOURS = 24
"""DynamoDB Streams keeps records for 24 hours (Developer Guide, "Change data capture for DynamoDB Streams")."""
WARN_AFTER_HOURS = 18
WARN_OF_CLOCK_SECONDS = 30.0
"""A signature's time may be five minutes off (IAM User Guide, "Create a signed AWS API request"): well before that."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a flow had come to when it ended: a failed pipeline is shown by it."""

    at: float
    settled_up_to: float
    """Seconds since the epoch; 0 where nothing is known."""
    shards: list[ShardStatus]


class Report:
    def __init__(self, *, pipeline: Pipeline, settings: Settings, totals: Totals, clock: Clock, version: str) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._totals = totals
        self._clock = clock
        self._version = version
        self._started_at = clock.now()
        self.last_verification: Verification | None = None
        self._left: Left | None = None
        pipeline.on_flow_ended.append(self._remember)

    def _remember(self, flow: Replicator) -> None:
        now = self._clock.now()
        self._left = Left(now, flow.settled_up_to, self._shards(flow, shard_views(flow), now))

    def status(self) -> Status:
        now = self._clock.now()
        pipeline, flow = self._pipeline, self._pipeline.replicator
        views = shard_views(flow) if flow else {}
        lag = lag_of(views.values(), now) if flow else None
        state = pipeline.state
        return Status(
            pipeline=self._settings.pipeline_name,
            state=state,
            reason=self.reason(),
            role=Role.ACTIVE if pipeline.holder.lease is not None else Role.STANDBY,
            source=self._source(),
            replica=self._replica(),
            lag=self._lag(flow, lag, now),
            queue=self._queue(flow),
            shards=self._shards(flow, views, now) if flow else self._shards_left(now),
            totals=self._totals.totals(),
            rates=self._totals.rates(),
            dead_letters=pipeline.letter_count.value,
            last_verification=self.last_verification,
            gaps=[_gap(gap) for gap in pipeline.gaps],
            warnings=self._warnings(lag),
            version=self._version,
            started_at=moment(self._started_at),
            now=moment(now),
            clock_offset_seconds=None if (offset := self._clock.offset()) is None else round(offset, 3),
        )

    def reason(self) -> str | None:
        """Why it is in its state, when a person must act."""
        vital = self.vital()
        if self._pipeline.reason is None and vital is not None and (stalled := stalled_reason(vital)):
            return stalled
        reason, failure = self._pipeline.reason, self._pipeline.holder.failure
        if reason and failure and self._pipeline.state is PipelineState.STANDBY:
            return f"{reason}: {failure}"
        return reason or failure

    def _source(self) -> SourceStatus:
        source = self._pipeline.outside.source
        return SourceStatus(
            table=table_name(self._settings.source_table),
            region=self._settings.source_region or table_region(self._settings.source_table) or source.region,
            stream_arn=source.stream_arn,
            stream_view_type=source.view_type.value if source.view_type else None,
        )

    def _replica(self) -> ReplicaStatus:
        replica = self._pipeline.outside.replica
        return ReplicaStatus(
            table=table_name(self._settings.replica_table),
            region=self._settings.replica_region or table_region(self._settings.replica_table) or replica.region,
        )

    def _lag(self, flow: Replicator | None, lag: Lag | None, now: float) -> LagStatus:
        if flow is None or lag is None:
            # Not the one that reads: a process that does not know its lag does not claim that there is none.
            record = self._pipeline.holder.record
            since = self._left.settled_up_to if self._left is not None else record.behind_since if record else 0.0
            is_known = self._pipeline.state is PipelineState.FAILED and since > 0
            seconds = round(now - since, 3) if is_known else None
            return LagStatus(seconds=seconds, unapplied_records=0, oldest_unapplied_at=None, caught_up=False)
        unapplied = flow.progress.unsettled
        is_caught_up = lag.is_caught_up and not unapplied and not flow.doubts
        seconds = lag.seconds if flow.readers.readers else now - flow.readers.known_up_to
        if not is_caught_up:
            # Clocks differ, and a flow that just began does not know yet how far behind it is: not zero, at least (I8).
            seconds = max(seconds, 0.001)
        oldest = moment(lag.oldest_unapplied_at) if lag.oldest_unapplied_at is not None else None
        return LagStatus(
            seconds=round(seconds, 3),
            unapplied_records=unapplied,
            keys_in_doubt=len(flow.doubts),
            oldest_unapplied_at=oldest,
            caught_up=is_caught_up,
        )

    def _queue(self, flow: Replicator | None) -> QueueStatus:
        return QueueStatus(
            records=flow.queue.records if flow else 0,
            bytes=flow.queue.bytes if flow else 0,
            max_records=self._settings.queue_max_records,
            max_bytes=self._settings.queue_max_bytes,
        )

    def _shards(self, flow: Replicator, views: dict[ShardId, ShardView], now: float) -> list[ShardStatus]:
        readers = flow.readers
        shown = []
        for shard_id in readers.shards.keys() | flow.progress.shards.keys():
            listed, progress = readers.shards.get(shard_id), flow.progress.shards.get(shard_id)
            view = views.get(shard_id)
            parent = listed.parent_id if listed else (progress.parent_id if progress else None)
            shown.append(
                ShardStatus(
                    shard_id=shard_id,
                    parent_shard_id=parent,
                    state=self._shard_state(flow, shard_id, now),
                    checkpoint=_saved_number(flow, shard_id),
                    last_read=str(progress.read_through) if progress and progress.read_through else None,
                    lag_seconds=round(shard_lag(view, now), 3) if view else 0.0,
                    records_read=progress.records_read if progress else 0,
                    records_applied=progress.records_settled if progress else 0,
                )
            )
        return sorted(shown, key=lambda shard: shard.shard_id)

    def _shards_left(self, now: float) -> list[ShardStatus]:
        """As the flow left them when it failed: those of a gap are failed, and what was open is further behind."""
        if self._left is None or self._pipeline.state is not PipelineState.FAILED:
            return []
        lost = {gap.shard_id for gap in self._pipeline.gaps}
        shown = []
        for shard in self._left.shards:
            changed: dict[str, object] = {}
            if shard.shard_id in lost:
                changed["state"] = ShardState.FAILED
            if shard.state is not ShardState.CLOSED:
                changed["lag_seconds"] = round(shard.lag_seconds + now - self._left.at, 3)
            shown.append(shard.model_copy(update=changed))
        return shown

    def _warnings(self, lag: Lag | None) -> list[str]:
        found = list(self._totals.warnings.values())
        if self._pipeline.replicator is not None:
            found += self._pipeline.replicator.requests.refused_reads.values()
        if self._totals.is_throttled:
            found.append("the replica throttles: its capacity is below what the stream brings; raise it, or wait")
        offset = self._clock.offset()
        if offset is not None and abs(offset) >= WARN_OF_CLOCK_SECONDS:
            found.append(
                f"this machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} AWS's: set it "
                "(NTP); times are told by AWS's clock meanwhile"
            )
        if lag is not None and lag.seconds > WARN_AFTER_HOURS * 3600:
            hours = lag.seconds / 3600
            paused = ", and the pipeline is paused: resume it" if self._pipeline.state is PipelineState.PAUSED else ""
            found.append(
                f"the replica is {hours:.1f} hours behind{paused}; the stream keeps {RETENTION_HOURS} hours, what is "
                "older is lost"
            )
        return found

    def control_age(self) -> float | None:
        """Seconds since the control table last answered, if it has not since."""
        since = self._pipeline.holder.failing_since
        return self._clock.now() - since if since is not None else None

    def vital(self) -> Vital | None:
        """What readiness looks at; None while no flow runs."""
        flow = self._pipeline.replicator
        if flow is None:
            return None
        now = self._clock.now()
        read_age, read_shard = self._oldest_read(flow, now)
        failing, unsaved = flow.requests.failing_since, flow.checkpoints.unsaved_since
        return Vital(
            oldest_read_age=read_age,
            oldest_read_shard=read_shard,
            unsaved_age=now - unsaved if unsaved is not None else None,
            refused_age=now - failing if failing is not None else None,
            refusal=flow.requests.refusal,
            failure=flow.requests.failure,
            trouble=flow.readers.trouble,
        )

    def _oldest_read(self, flow: Replicator, now: float) -> tuple[float | None, str | None]:
        """A pause or a full queue stops the reading on purpose: that is no sign of a dead reader."""
        if self._pipeline.is_paused or flow.queue.is_full:
            return None, None
        if not flow.readers.readers:
            return now - flow.readers.started_at, "list"
        ages = [
            (now - reader.tries_since, str(reader.shard.shard_id))
            for reader in flow.readers.open_readers()
            if reader.shard.shard_id not in flow.readers.ended_at
        ]
        return max(ages, default=(None, None))

    def _shard_state(self, flow: Replicator, shard_id: ShardId, now: float) -> ShardState:
        progress, reader = flow.progress.shards.get(shard_id), flow.readers.readers.get(shard_id)
        if shard_id in flow.readers.ended_at:
            return ShardState.CLOSED if progress is None or not progress.unsettled else ShardState.DRAINED
        if reader is None:
            return ShardState.WAITING_FOR_PARENT
        may_read = not self._pipeline.is_paused and not flow.queue.is_full
        is_dead = may_read and now - reader.tries_since > PATIENCE_SECONDS
        return ShardState.FAILED if is_dead else ShardState.READING


def shard_views(flow: Replicator) -> dict[ShardId, ShardView]:
    """What lag is made of, for each shard that is being read or holds unsettled changes."""
    still_open = {reader.shard.shard_id: reader for reader in flow.readers.open_readers()}
    views = {}
    for shard_id, reader in (flow.readers.readers | still_open).items():
        progress = flow.progress.shards.get(shard_id)
        ended = shard_id in flow.readers.ended_at
        views[shard_id] = ShardView(
            is_open=shard_id in still_open,
            oldest_unsettled_at=progress.oldest_unsettled_at if progress else None,
            read_up_to=reader.read_up_to,
            # An ended shard without a known child has no tip: its child holds what comes next.
            tip_seen_at=None if ended else reader.tip_seen_at,
            poll_seconds=reader.poll_seconds,
        )
    return views


def _saved_number(flow: Replicator, shard_id: ShardId) -> str | None:
    saved = flow.checkpoints.saved.checkpoints.get(shard_id)
    return str(saved.position.after) if saved is not None and saved.position.after is not None else None


def _gap(gap: Gap) -> GapStatus:
    return GapStatus(
        shard_id=gap.shard_id,
        after_sequence_number=str(gap.after) if gap.after else None,
        detected_at=moment(gap.detected_at),
        reason=gap.reason,
    )


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
