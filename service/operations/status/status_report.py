"""Writes the status document from a pipeline as it is at this moment.

Each field is looked up. A process without a flow of its own shows what it saw in the control table (control_looks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.configuration.settings import Settings
from service.dynamodb_json.table_names import table_name, table_region
from service.model import ShardId, TableDescription
from service.operations.documents.jobs import Verification
from service.operations.documents.status import (
    GapStatus,
    History,
    LagStatus,
    PipelineState,
    QueueStatus,
    ReplicaStatus,
    Role,
    ShardStatus,
    SourceStatus,
    Status,
)
from service.operations.documents.utc_time import moment, moment_or_none, utc_text
from service.operations.pipeline.ownership import reason_of
from service.operations.pipeline.pipeline import Pipeline
from service.operations.status.counters import Totals
from service.operations.status.lag_status import lag_of_flow, lag_without_flow
from service.operations.status.readiness import PATIENCE_SECONDS, overdue, sentences, stalled_reason
from service.operations.status.shard_status import shard_views, shards_left, shards_of
from service.operations.status.warnings import warnings
from service.pipeline_state import Gap
from service.replication.flow import Flow
from service.replication.progress.lag import ShardView, lag_of
from service.replication.replicator import Replicator


@dataclass(frozen=True, slots=True)
class Left:
    """What a flow had come to when it ended: a failed pipeline is shown by it."""

    at: float
    behind_since: float
    """Seconds since the epoch, as `Replicator.behind_since`."""
    shards: list[ShardStatus]


class Report:
    """Implements console.Reporting."""

    def __init__(self, pipeline: Pipeline, totals: Totals, version: str) -> None:
        self._pipeline = pipeline
        self._settings = pipeline.settings
        self._totals = totals
        self._clock = clock = pipeline.outside.adapters.clock
        self._version = version
        self._started_at = clock.now()
        self._begun_at = clock.monotonic()
        self.last_verification: Verification | None = None
        self.gaps_seen: tuple[Gap, ...] | None = None
        """As the control table told them last; None: not yet."""
        self._left: Left | None = None
        pipeline.on_flow_ended.append(self._remember)

    @property
    def _flow(self) -> Replicator | None:
        flow = self._pipeline.replicator
        return flow if isinstance(flow, Replicator) else None  # beside Lambda, nothing is known of what is read

    def _remember(self, flow: Flow) -> None:
        assert isinstance(flow, Replicator)
        now = self._clock.now()
        self._left = Left(now, flow.behind_since, shards_of(flow, shard_views(flow), now))

    def status(self) -> Status:
        now = self._clock.now()
        pipeline, flow = self._pipeline, self._flow
        views = shard_views(flow) if flow else {}
        lag = self._lag(flow, views, now)
        return Status(
            pipeline=self._settings.pipeline_name,
            state=pipeline.state,
            reason=self.reason(),
            role=Role.ACTIVE if pipeline.holder.lease is not None else Role.STANDBY,
            active=pipeline.holder.active,
            active_since=moment_or_none(pipeline.holder.active_since),
            process=pipeline.holder.owner,
            paused_since=self._paused_since(flow),
            paused_by=self._paused_by(flow),
            source=source_of(self._settings, pipeline.outside.source),
            replica=replica_of(self._settings, pipeline.outside.replica),
            lag=lag,
            queue=self._queue(flow),
            shards=self._shards(flow, views, now),
            totals=self._totals.totals(),
            rates=self._totals.rates(),
            dead_letters=pipeline.letter_count.known(is_owner=pipeline.holder.lease is not None),
            last_verification=self.last_verification,
            gaps=[_gap(gap) for gap in self._gaps(flow)],
            warnings=self._warnings(lag.seconds, now),
            version=self._version,
            started_at=moment(self._started_at),
            now=moment(now),
            clock_offset_seconds=None if (offset := self._clock.offset()) is None else round(offset, 3),
        )

    def history(self) -> History:
        return self._totals.recorder.history()

    def reason(self) -> str | None:
        """Why it is in its state, when a person must act."""
        flow = self._flow
        if self._pipeline.reason is None and flow is not None and (stalled := stalled_reason(flow, self._clock.now())):
            return stalled
        why = reason_of(self._pipeline)
        if why and self._pipeline.state is not PipelineState.STANDBY:
            return why
        return sentences(why, self._silence())

    def _silence(self) -> str | None:
        holder = self._pipeline.holder
        if holder.failing_since is None:
            return None
        return f"the control table has not answered since {utc_text(moment(holder.failing_since))}: {holder.failure}"

    def _lag(self, flow: Replicator | None, views: dict[ShardId, ShardView], now: float) -> LagStatus:
        holder = self._pipeline.holder
        if flow is None:
            return lag_without_flow(holder, self._left.behind_since if self._left else 0.0, now)
        return lag_of_flow(flow, lag_of(views.values(), now), now, is_trusted=holder.is_trusted)

    def _queue(self, flow: Replicator | None) -> QueueStatus:
        return QueueStatus(
            records=flow.queue.records if flow else 0,
            bytes=flow.queue.bytes if flow else 0,
            max_records=self._settings.queue_max_records,
            max_bytes=self._pipeline.allowance.queue_max_bytes,
        )

    def _shards(self, flow: Replicator | None, views: dict[ShardId, ShardView], now: float) -> list[ShardStatus]:
        if flow is not None:
            return shards_of(flow, views, now)
        if self._left is None or self._pipeline.state is not PipelineState.FAILED:
            return []
        return shards_left(self._left.shards, self._pipeline.gaps, now - self._left.at)

    def _gaps(self, flow: Replicator | None) -> Sequence[Gap]:
        is_ours = flow is not None or self._pipeline.state is PipelineState.FAILED
        return self._pipeline.gaps if is_ours else self.gaps_seen or ()

    def _paused_since(self, flow: Replicator | None) -> datetime | None:
        if flow is not None:
            return moment_or_none(self._pipeline.paused_since)
        record = self._pipeline.holder.record
        if record is None or not record.is_paused:
            return None
        return moment(record.paused_since or record.renewed_at)  # a hand that paused it may have told no time

    def _paused_by(self, flow: Replicator | None) -> str | None:
        record = self._pipeline.holder.record
        return record.paused_by or None if record is not None and self._paused_since(flow) is not None else None

    def _warnings(self, lag_seconds: float | None, now: float) -> list[str]:
        found = warnings(
            self._flow,
            self._settings,
            now=now,
            lag_seconds=lag_seconds,
            is_paused=self._paused_since(self._flow) is not None,
            clock_offset=self._clock.offset(),
            throttles=self._totals.throttles(),
        )
        return [*self._totals.warnings.values(), *found]

    def not_ready_reason(self) -> str | None:
        state, holder, now = self._pipeline.state, self._pipeline.holder, self._clock.now()
        silence = overdue(holder.failing_since, now)
        reason = reason_of(self._pipeline) if silence else self.reason()  # which tells of the silence too
        if state is PipelineState.FAILED:
            return reason or "failed"
        if silence:
            told = f": {holder.failure}" if holder.failure else ""
            return sentences(f"the control table has not answered for {silence:.0f} s{told}", reason)
        if state is PipelineState.STANDBY:
            return None
        if state is PipelineState.STOPPING:
            return reason or f"{state.value}, and not replicating"
        if self._flow is None:
            is_late = self._clock.monotonic() - self._begun_at > PATIENCE_SECONDS
            return reason or (f"{state.value}, and not replicating" if is_late else "starting")
        return stalled_reason(self._flow, now)

    def checkpoint_age(self) -> float | None:
        """For how many seconds settled work has been waiting to be saved; None while no flow runs."""
        if self._flow is None:
            return None
        since = self._flow.checkpoints.unsaved_since
        return self._clock.now() - since if since is not None else 0.0


def source_of(settings: Settings, found: TableDescription | None = None) -> SourceStatus:
    """What can't be known before it was `found` is null."""
    return SourceStatus(
        table=table_name(settings.source_table),
        region=settings.source_region or table_region(settings.source_table) or (found.region if found else None),
        stream_arn=found.stream_arn if found else None,
        stream_view_type=found.view_type.value if found and found.view_type else None,
    )


def replica_of(settings: Settings, found: TableDescription | None = None) -> ReplicaStatus:
    """As `source_of`."""
    return ReplicaStatus(
        table=table_name(settings.replica_table),
        region=settings.replica_region or table_region(settings.replica_table) or (found.region if found else None),
    )


def _gap(gap: Gap) -> GapStatus:
    return GapStatus(
        shard_id=gap.shard_id,
        after_sequence_number=str(gap.after) if gap.after else None,
        detected_at=moment(gap.detected_at),
        reason=gap.reason,
    )
