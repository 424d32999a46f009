"""The status document: what dashboards poll, field by field as the public contract names them."""

from __future__ import annotations

import enum
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from service.operations.jobs import Verification


class Document(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PipelineState(enum.StrEnum):
    STARTING = "starting"
    SNAPSHOTTING = "snapshotting"
    RUNNING = "running"
    PAUSED = "paused"
    STANDBY = "standby"
    STOPPING = "stopping"
    FAILED = "failed"


class Role(enum.StrEnum):
    ACTIVE = "active"
    STANDBY = "standby"


class ShardState(enum.StrEnum):
    WAITING_FOR_PARENT = "waiting_for_parent"
    READING = "reading"
    DRAINED = "drained"
    """Read to its end; some of its changes are not settled yet."""
    CLOSED = "closed"
    """Read to its end and settled; nothing more can come."""
    FAILED = "failed"


class SourceStatus(Document):
    table: str = Field(examples=["master-table"])
    region: str | None = Field(examples=["us-west-2"])
    stream_arn: str | None
    stream_view_type: str | None = Field(examples=["NEW_AND_OLD_IMAGES"])


class ReplicaStatus(Document):
    table: str = Field(examples=["replica-table"])
    region: str | None = Field(examples=["us-west-2"])


class LagStatus(Document):
    seconds: float | None = Field(
        description="Age of the oldest change that is not settled; with none, time since every open shard was last "
        "seen at its tip. Null on a standby that can't know it.",
        examples=[0.0],
    )
    unapplied_records: int = Field(description="Records that were read and are not settled yet.")
    oldest_unapplied_at: datetime | None = Field(description="When the source made the oldest of them.")
    caught_up: bool = Field(
        description="Every open shard was read to its tip within the last few polls and nothing read is unapplied."
    )


class QueueStatus(Document):
    records: int
    bytes: int
    max_records: int
    max_bytes: int


class ShardStatus(Document):
    shard_id: str
    parent_shard_id: str | None
    state: ShardState
    checkpoint: str | None = Field(description="Sequence number up to which everything is settled and saved.")
    last_read: str | None = Field(description="Sequence number of the last record read.")
    lag_seconds: float
    records_read: int
    records_applied: int


class TotalsStatus(Document):
    """Counted since this process started."""

    records_read: int
    records_applied: int = Field(description="Settled by a write of them or of a newer state of their item.")
    items_written: int
    records_coalesced: int = Field(description="Applied by writing a newer state of the same item.")
    records_skipped: int = Field(description="Left out by a filter or transform.")
    records_dead_lettered: int
    retries: int


class RatesStatus(Document):
    """Over the last ten seconds."""

    records_read_per_second: float
    records_applied_per_second: float


class GapStatus(Document):
    """History that can't be read any more."""

    shard_id: str | None
    after_sequence_number: str | None
    detected_at: datetime
    reason: str


class Status(Document):
    pipeline: str = Field(examples=["master-table--replica-table"])
    state: PipelineState
    reason: str | None = Field(description="Why it is in this state, when a person must act.")
    role: Role
    source: SourceStatus
    replica: ReplicaStatus
    lag: LagStatus
    queue: QueueStatus
    shards: list[ShardStatus]
    totals: TotalsStatus
    rates: RatesStatus
    dead_letters: int
    last_verification: Verification | None
    gaps: list[GapStatus]
    warnings: list[str]
    version: str
    started_at: datetime
    now: datetime
