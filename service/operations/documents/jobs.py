"""Long jobs that an operator asks for: replays, snapshots, verifications, redrives.

Their documents outlive the process.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, ClassVar, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from service.operations.documents.utc_time import Instant

JobKind = Literal["replay", "snapshot", "verification", "redrive"]


class JobState(enum.StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StartedBy(enum.StrEnum):
    ADMIN = "admin"
    """Somebody asked for it."""
    SCHEDULE = "schedule"
    """The settings did, such as the first start's."""
    GAP = "gap"
    """History was lost, and it mends that by itself."""


class Job(BaseModel):
    """Ids sort by the time of their making. An answer has all fields, those with a default too."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    id: str = Field(examples=["20261123T101500-3f9c"])
    state: JobState
    started_at: Instant = Field(examples=["2026-11-23T10:15:00Z"])
    started_by: StartedBy = Field(
        default=StartedBy.ADMIN,
        description="`admin`: somebody asked for it; `schedule`: the settings did; `gap`: it mends lost history.",
    )
    finished_at: Instant | None = Field(default=None, description="Null while it runs.")
    error: str | None = Field(default=None, description="Why the job failed, or does not go on now.")
    per_second: float | None = Field(
        default=None,
        description="Items, records or letters a second, as of late. Null when it does not run.",
        examples=[250.0],
    )
    seconds_left: float | None = Field(
        default=None,
        description="By its rate and its estimate. Null where that tells nothing: of a replay, in a pause.",
        examples=[14.0],
    )

    counted: ClassVar[tuple[str, ...]] = ()
    estimated: ClassVar[str | None] = None
    """The fields that tell how much it has got through, and about how much that will be."""

    @property
    def done(self) -> int:
        """What it has got through: items, records or letters."""
        return sum(getattr(self, name) for name in self.counted)

    @property
    def expected(self) -> int | None:
        """About how much that will be in the end; None where nobody knows."""
        found: int | None = getattr(self, self.estimated) if self.estimated is not None else None
        return found


class Replay(Job):
    counted = ("records_read",)
    sequence_number: str | None = Field(default=None, description="Where it began, if it was asked for by number.")
    shard_id: str | None = Field(default=None, description="The number's shard, where only one can hold it.")
    from_time: Instant | None = Field(default=None, description="Where it began, if it was asked for by time.")
    from_: Literal["trim_horizon"] | None = Field(
        default=None, alias="from", description="`trim_horizon` if all that the stream still has was asked for."
    )
    dry_run: bool = Field(default=False, description="True: nothing is changed, the counts tell what would be.")
    records_read: int = Field(
        default=0, description="Those in neither of the next two counts became dead letters.", examples=[1500]
    )
    records_applied: int = Field(
        default=0, description="Records that changed the replica; in a dry run: would.", examples=[20]
    )
    records_unchanged: int = Field(
        default=0, description="Records that the replica already had, or that are stale.", examples=[1480]
    )

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ReplayStart(TypedDict, total=False):
    """Where a replay begins, at exactly one of the three, and what for; as `Replay` describes them."""

    sequence_number: str | None
    shard_id: str | None
    from_time: datetime | None
    from_: Literal["trim_horizon"] | None
    dry_run: bool


class Snapshot(Job):
    counted, estimated = ("items_scanned",), "items_estimated"
    items_scanned: int = Field(default=0, description="Items of the source that were read.", examples=[1500])
    items_written: int = Field(
        default=0,
        description="Of them, those that were put into the replica; the stream brought the others.",
        examples=[1400],
    )
    items_estimated: int = Field(default=0, description="DynamoDB's own estimate, up to six hours old.")
    needed: bool = Field(
        default=False, description="The replica is not whole without it: it can't be cancelled. A pause stops it."
    )


class Verification(Job):
    counted, estimated = ("items_read",), "items_estimated"
    repair: bool = Field(default=False, description="True: differences are mended in the replica.")
    sample: float | None = Field(default=None, description="The fraction of the keys that is looked at.")
    items_compared: int = Field(
        default=0, description="The source's items that were looked at, and the extra ones.", examples=[1500]
    )
    items_read: int = Field(
        default=0, description="Items that were scanned in both tables, one after the other.", examples=[1500]
    )
    items_estimated: int = Field(
        default=0, description="About how many `items_read` will come to; by DynamoDB's own count, up to six hours old."
    )
    missing: int = Field(default=0, description="In the source only.", examples=[1])
    extra: int = Field(default=0, description="In the replica only.")
    different: int = Field(default=0, description="In both, with different content.")
    repaired: int = Field(default=0, description="Of the differences, those that were mended.")
    differing_keys: list[dict[str, Any]] = Field(
        default_factory=list,
        description="The first 100 differing keys, in DynamoDB JSON, each with its `kind`.",
        examples=[[{"kind": "missing", "key": {"pk": {"S": "key1"}}}]],
    )

    @property
    def is_equal(self) -> bool:
        """Nothing that was looked at differs."""
        return not (self.missing or self.extra or self.different)


class RedriveFailure(BaseModel):
    """A dead letter that was refused again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(examples=["000001100000000017454423009"])
    error: str = Field(description="Why, in short; the letter itself has the whole cause.", examples=["too large"])


class Redriving(Job):
    """Dead letters that are written again."""

    counted, estimated = ("redriven", "superseded", "failed"), "letters"

    redriven: int = Field(default=0, description="Written now.", examples=[40])
    superseded: int = Field(default=0, description="Not needed any more: a newer state of the item was applied since.")
    failed: int = Field(default=0, description="Refused again; they stay dead letters.", examples=[1])
    letters: int | None = Field(
        default=None, description="How many there were when it began; null if not known.", examples=[3543]
    )
    failures: list[RedriveFailure] = Field(default_factory=list, description="The first 100 of those that failed.")
