"""The status document: what dashboards poll, field by field as the public contract names them."""

from __future__ import annotations

import enum

from pydantic import BaseModel, ConfigDict, Field

from service.operations.documents.jobs import Verification
from service.operations.documents.utc_time import Instant


class Document(BaseModel):
    """Frozen, and strict about its fields. An answer has all of them, those with a default too."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


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
    stream_arn: str | None = Field(
        examples=["arn:aws:dynamodb:us-west-2:123456789012:table/master-table/stream/2026-11-23T09:00:00.000"]
    )
    stream_view_type: str | None = Field(examples=["NEW_AND_OLD_IMAGES"])


class ReplicaStatus(Document):
    table: str = Field(examples=["replica-table"])
    region: str | None = Field(examples=["us-west-2"])


class LagStatus(Document):
    seconds: float | None = Field(
        description="Age of the oldest change that is not settled. If nothing is pending: the time since all open "
        "shards were last read to the end. A process that does not replicate reports the active one's lag as of its "
        "last lease renewal; it grows while nobody renews. Null where no process has ever reported it.",
        examples=[0.0],
    )
    unapplied_records: int | None = Field(
        description="Records that were read and are not settled yet. Null where this process does not replicate.",
        examples=[0],
    )
    keys_in_doubt: int | None = Field(
        default=0,
        description="Keys of which a write was given up that may still take effect; they are looked at again for about "
        "half a minute. Null where this process does not replicate.",
    )
    oldest_unapplied_at: Instant | None = Field(description="When the source made the oldest of them.")
    caught_up: bool = Field(
        description="Every open shard was read to its tip within the last few polls, nothing read is unapplied, no "
        "write is in doubt, no gap is open, no snapshot is owed, and the stream is on and was listed not long ago. "
        "Three empty pages in a row show the tip: it is false, however short the lag, while each poll brings records.",
        examples=[True],
    )


class QueueStatus(Document):
    records: int = Field(description="Records that were read and wait for a writer.")
    bytes: int = Field(description="What they count against the bound.")
    max_records: int = Field(description="At this many records the reads stop until there is room.", examples=[10000])
    max_bytes: int = Field(description="At this many bytes too.", examples=[67108864])


class ShardStatus(Document):
    shard_id: str = Field(examples=["shardId-00000001541626099285-f35f62ef"])
    parent_shard_id: str | None = Field(description="The shard that is read to its end before this one.")
    state: ShardState = Field(
        examples=["reading"],
        description="`reading` is an open one; while the pipeline is paused or has failed, it is not read. `drained` "
        "was read to its end and has unsettled changes; `closed` was so, and all is settled.",
    )
    checkpoint: str | None = Field(
        description="Sequence number up to which everything is settled and saved.", examples=["1100000000017454423009"]
    )
    last_read: str | None = Field(
        description="Sequence number of the last record read.", examples=["1100000000017454423009"]
    )
    lag_seconds: float = Field(description="As `lag.seconds`, for this shard alone.")
    records_read: int = Field(description="Since this process began to replicate.")
    records_applied: int = Field(
        description="Since then: settled. Other than of `totals`, those that a filter left out and those that were "
        "stored as dead letters are among them."
    )


class TotalsStatus(Document):
    """Counted since this process started."""

    records_read: int = Field(description="Taken from the stream.")
    records_applied: int = Field(
        description="Settled by a write of them, by a newer state of their item, or because the replica had them."
    )
    items_written: int = Field(description="Puts and deletes that the replica took.")
    records_coalesced: int = Field(description="Applied by writing a newer state of the same item.")
    records_unchanged: int = Field(default=0, description="Applied without a write: the replica's item had them.")
    records_stale: int = Field(default=0, description="Applied without a write: the replica's item was newer.")
    records_skipped: int = Field(description="Left out by a filter or transform.")
    records_dead_lettered: int = Field(description="Stored as dead letters, a snapshot's items among them.")
    retries: int = Field(description="Requests to the stream and to the tables that were made again, for any cause.")


class RatesStatus(Document):
    """Over the last ten seconds, of what `totals` counts: applied are also those that needed no write."""

    records_read_per_second: float
    records_applied_per_second: float


class GapStatus(Document):
    """History that can't be read any more."""

    shard_id: str | None = Field(description="Null when the whole stream is concerned.")
    after_sequence_number: str | None = Field(description="What follows this number is missing.")
    detected_at: Instant
    reason: str = Field(description="What is missing, and what mends it.")


class Status(Document):
    pipeline: str = Field(description="Its name in the control table.", examples=["master-table--replica-table"])
    state: PipelineState = Field(description="`failed` needs a person; `reason` says for what.", examples=["running"])
    reason: str | None = Field(description="Why it is in this state, when a person must act.")
    role: Role = Field(description="`standby`: another process replicates, this one takes over when it is gone.")
    active: str | None = Field(
        default=None,
        description="The owner of the lease, as it names itself. Null while nobody holds it, or that is not known.",
        examples=["mirror-7f9c-1-5e0c1a2b"],
    )
    active_since: Instant | None = Field(
        default=None,
        description="When that process took the lease: with `process`, whether this one took over, and when. Null "
        "while `active` is, or where an earlier version has the lease.",
    )
    process: str | None = Field(
        default=None,
        description="This process, as it names itself: while it replicates, `active` is the same.",
        examples=["mirror-7f9c-1-5e0c1a2b"],
    )
    paused_since: Instant | None = Field(default=None, description="Null while it is not paused; kept over restarts.")
    paused_by: str | None = Field(
        default=None,
        description="Who paused it, as far as the admin API can tell. Null while it is not paused, or that is unknown.",
    )
    source: SourceStatus
    replica: ReplicaStatus
    lag: LagStatus
    queue: QueueStatus
    shards: list[ShardStatus] = Field(description="Empty where this process does not replicate.")
    totals: TotalsStatus
    rates: RatesStatus
    dead_letters: int | None = Field(
        description="Changes that could not be written and wait for a redrive or a discard; null: not known (yet).",
        examples=[0],
    )
    last_verification: Verification | None = Field(
        description="The last full comparison of the two tables. Null: there was none; while `dead_letters` is null: "
        "or it is not known."
    )
    gaps: list[GapStatus] = Field(examples=[[]])
    warnings: list[str] = Field(description="Sentences for a person.", examples=[[]])
    refused: dict[str, str] = Field(
        default_factory=dict,
        description="What this process would refuse to begin now, and why: `replay`, `snapshot`, `verify`, `redrive`; "
        "where the pipeline could not start, `pause` and `resume` too.",
        examples=[{"replay": "the replay 20261123T101500-3f9c runs already, and there can be only one"}],
    )
    version: str = Field(description="Of dynamirror.", examples=["0.1.0"])
    started_at: Instant = Field(description="When this process started.", examples=["2026-11-23T10:00:00Z"])
    now: Instant = Field(description="When this document was made, by AWS's clock.", examples=["2026-11-23T10:15:00Z"])
    clock_offset_seconds: float | None = Field(
        default=None,
        description="AWS's time less this machine's; null until an answer has told it. All times are AWS's.",
        examples=[0.0],
    )


class HistoryStep(Document):
    """What happened in a few seconds, or in some minutes that are longer ago."""

    at: Instant = Field(description="When it began.")
    seconds: float = Field(description="How long it was.")
    state: PipelineState = Field(
        description="In the end of it. A `standby` reads and applies nothing: another process does.",
        examples=["running"],
    )
    lag_seconds: float | None = Field(description="The longest that was seen. Null where it was not known.")
    records_read_per_second: float
    records_applied_per_second: float
    latency_mean_seconds: float | None = Field(
        description="From the change at the source to its write in the replica. Null where nothing was written."
    )
    latency_max_seconds: float | None


class History(Document):
    """The last 24 hours of this process, oldest first."""

    items: list[HistoryStep]
