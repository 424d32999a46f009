"""What the process tells of all its pipelines: their list, and what a reload did."""

from __future__ import annotations

from pydantic import Field

from service.operations.documents.status import Document, PipelineState, Role
from service.operations.documents.utc_time import Instant


class PipelineSummary(Document):
    """One pipeline of the process, in a line."""

    name: str = Field(examples=["orders"])
    state: PipelineState = Field(description="As in its status document.", examples=["running"])
    role: Role
    reason: str | None = Field(description="Why it is not ready or in this state, when a person must act.")
    ready: bool = Field(description="As its /readyz says.", examples=[True])
    paused_since: Instant | None = Field(default=None, description="Null while it is not paused.")
    lag_seconds: float | None = Field(description="Null where it is not known.", examples=[0.0])
    caught_up: bool = Field(examples=[True])
    dead_letters: int | None = Field(description="Null where they are not known (yet).", examples=[0])
    warnings: list[str] = Field(description="Sentences for a person.", examples=[[]])


class LeftOut(Document):
    """A table that discovery found and that this process does not replicate."""

    table: str = Field(examples=["audit"])
    reason: str = Field(description="Why not, for a person.", examples=["it has no stream"])


class Pipelines(Document):
    """Every pipeline of the process."""

    items: list[PipelineSummary] = Field(description="By name.")
    left_out: list[LeftOut] = Field(default=[], description="Discovered tables that no pipeline replicates, and why.")


class Reloaded(Document):
    """What a reload changed: names of pipelines. One that is in none of the lists was not touched."""

    started: list[str] = Field(description="New in the file.", examples=[["invoices"]])
    stopped: list[str] = Field(description="Gone from the file, and stopped in order.", examples=[[]])
    restarted: list[str] = Field(description="Their settings changed.", examples=[["orders"]])
