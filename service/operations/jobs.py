"""Long jobs that an operator asks for: replays, snapshots, verifications. Their documents outlive the process."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class JobState(enum.StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(BaseModel):
    """Ids sort by the time of their making."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(examples=["20261123T101500-3f9c"])
    state: JobState
    started_at: datetime
    finished_at: datetime | None = None
    error: str | None = Field(default=None, description="Why the job failed, and what to do.")


class Replay(Job):
    sequence_number: str | None = None
    shard_id: str | None = None
    from_time: datetime | None = None
    from_: Literal["trim_horizon"] | None = Field(default=None, alias="from")
    dry_run: bool = False
    records_read: int = 0
    records_applied: int = Field(default=0, description="Records that changed the replica; in a dry run: would.")
    records_unchanged: int = Field(default=0, description="Records that the replica already had, or that are stale.")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Snapshot(Job):
    items_scanned: int = 0
    items_written: int = 0
    items_estimated: int = Field(default=0, description="DynamoDB's own estimate, up to six hours old.")


class Verification(Job):
    repair: bool = False
    sample: float | None = Field(default=None, description="The fraction of the keys that is looked at.")
    items_compared: int = 0
    missing: int = Field(default=0, description="In the source only.")
    extra: int = Field(default=0, description="In the replica only.")
    different: int = 0
    repaired: int = 0
    differing_keys: list[dict[str, Any]] = Field(
        default_factory=list, description="The first 100 differing keys, in DynamoDB JSON, each with its `kind`."
    )
