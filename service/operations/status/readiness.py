"""Whether the pipeline makes progress: pure. Not that the process once started, but that it goes on now (E75)."""

from __future__ import annotations

from dataclasses import dataclass

from service.operations.documents.status import PipelineState

PATIENCE_SECONDS = 30.0
"""The contract's: no read of an open shard, no save of settled work, no accepted write for so long is not ready."""


@dataclass(frozen=True, slots=True)
class Vital:
    """What readiness needs to know of a running flow. Ages in seconds; None where there is nothing to wait for."""

    oldest_read_age: float | None
    """Since the open shard that was read longest ago was last read successfully; None while reading has to wait."""
    oldest_read_shard: str | None
    unsaved_age: float | None
    """Since when settled work has been waiting to be saved."""
    refused_age: float | None
    """Since when no request to the replica has succeeded although some were made."""
    refusal: str | None
    failure: str | None = None
    """What the last of them was told."""
    trouble: str | None = None
    """What the stream's last failed request was told."""
    unread_age: float | None = None
    """Since when a table can't be read that changes wait for: guarded ones are judged by what the tables hold."""
    unread: str = ""
    """What those reads were told."""


def not_ready_reason(
    state: PipelineState,
    reason: str | None,
    vital: Vital | None,
    starting_age: float,
    control_age: float | None,
    control_failure: str = "",
) -> str | None:
    """None when ready; otherwise sentences for a person. `control_age`: since when the control table is silent."""
    if state is PipelineState.FAILED:
        return reason or "failed"
    if is_late(control_age):
        told = f": {control_failure}" if control_failure else ""
        return sentences(f"the control table has not answered for {control_age:.0f} s{told}", reason)
    if state is PipelineState.STANDBY:
        return None
    if state is PipelineState.STOPPING:
        return reason or f"{state.value}, and not replicating"
    if vital is None:
        if starting_age > PATIENCE_SECONDS:
            return reason or f"{state.value}, and not replicating"
        return reason or "starting"
    return stalled_reason(vital)


def sentences(*said: str | None) -> str | None:
    """One after the other, so that none reads as a part of another. None where nothing is said."""
    found = [each for each in said if each]
    return ". ".join([*found[:1], *(f"{each[:1].upper()}{each[1:]}" for each in found[1:])]) or None


def stalled_reason(vital: Vital) -> str | None:
    """Why a running flow makes no progress; None while it does, or has for a moment not."""
    if vital.refusal is not None:
        return f"the replica refuses all writes: {vital.refusal}"
    if is_late(vital.refused_age):
        why = f": {vital.failure}" if vital.failure else ""
        return f"no write to the replica has succeeded for {vital.refused_age:.0f} s{why}"
    if is_late(vital.unread_age):
        why = f": {vital.unread}" if vital.unread else ""
        return f"changes wait for a read that has not succeeded for {vital.unread_age:.0f} s{why}"
    if is_late(vital.oldest_read_age):
        why = f": {vital.trouble}" if vital.trouble else ""
        return f"the shard {vital.oldest_read_shard} was not read successfully for {vital.oldest_read_age:.0f} s{why}"
    if is_late(vital.unsaved_age):
        return f"settled work was not checkpointed for {vital.unsaved_age:.0f} s: the control table can't be written"
    return None


def is_late(age: float | None) -> bool:
    return age is not None and age > PATIENCE_SECONDS
