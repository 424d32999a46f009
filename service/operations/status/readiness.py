"""Whether a running flow makes progress: not that it once started, but that it goes on now (E75)."""

from __future__ import annotations

from service.replication.replicator import Replicator

PATIENCE_SECONDS = 30.0
"""The contract's: no read of an open shard, no save of settled work, no accepted write for so long is not ready."""


def overdue(since: float | None, now: float) -> float | None:
    """For how many seconds, where that is too long."""
    return now - since if since is not None and now - since > PATIENCE_SECONDS else None


def sentences(*said: str | None) -> str | None:
    """One after the other, so that none reads as a part of another. None where nothing is said."""
    found = [each for each in said if each]
    return ". ".join([*found[:1], *(f"{each[:1].upper()}{each[1:]}" for each in found[1:])]) or None


def stalled_reason(flow: Replicator, now: float) -> str | None:
    """Why a running flow makes no progress, for a person; None while it does, or has for a moment not."""
    requests = flow.requests
    if requests.refusal is not None:
        return f"the replica refuses all writes: {requests.refusal}"
    if age := overdue(requests.failing_since, now):
        why = f": {requests.failure}" if requests.failure else ""
        return f"no write to the replica has succeeded for {age:.0f} s{why}"
    if age := overdue(_unread_since(flow), now):
        why = f": {told}" if (told := "; ".join(requests.refused_reads.values())) else ""
        return f"changes wait for a read that has not succeeded for {age:.0f} s{why}"
    age, shard_id = _oldest_read(flow, now)
    if age > PATIENCE_SECONDS:
        why = f": {flow.readers.trouble}" if flow.readers.trouble else ""
        return f"the shard {shard_id} was not read successfully for {age:.0f} s{why}"
    if age := overdue(flow.checkpoints.unsaved_since, now):
        return f"settled work was not checkpointed for {age:.0f} s: the control table can't be written"
    return None


def _unread_since(flow: Replicator) -> float | None:
    """Since when a table can't be read that changes wait for: guarded ones are judged by what the tables hold."""
    since, oldest = flow.requests.reads_failing_since, flow.oldest_unsettled_at
    return since if since is not None and oldest is not None and oldest <= since else None


def _oldest_read(flow: Replicator, now: float) -> tuple[float, str]:
    """Of the open shard that was read longest ago: for how many seconds it was not, and its id. 0.0: reading waits."""
    if not may_read(flow):
        return 0.0, ""
    if not flow.readers.readers:
        return now - flow.readers.started_at, "list"
    ages = [
        (now - reader.tries_since, str(reader.shard.shard_id))
        for reader in flow.readers.open_readers()
        if reader.shard.shard_id not in flow.readers.ended_at
    ]
    return max(ages, default=(0.0, ""))


def may_read(flow: Replicator) -> bool:
    """A pause or a full queue stops the reading on purpose: that is no sign of a dead reader."""
    return not flow.gate.is_paused and not flow.queue.is_full
