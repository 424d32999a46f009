"""What a gap is told as: which history is lost, since when, and what mends it."""

from __future__ import annotations

from service.errors import GapError, HaltError
from service.model import Position, SequenceNumber, ShardId
from service.pipeline_state import Gap, PipelineRecord

MENDS = "a snapshot mends it: POST /snapshot, or set DYNAMIRROR_ON_GAP=snapshot"


def gap_of(error: GapError, now: float) -> Gap:
    """`now` in seconds since the epoch."""
    return Gap(
        shard_id=ShardId(error.shard_id) if error.shard_id else None,
        after=SequenceNumber.parse(error.after) if error.after else None,
        detected_at=now,
        reason=str(error),
    )


def still_open(gap: Gap) -> GapError:
    """Found by a former flow: a start that does not find it again has lost the history all the same."""
    return GapError(gap.reason, gap.shard_id, None if gap.after is None else str(gap.after))


def without_progress(table: str, now: float) -> PipelineRecord:
    """Of a pipeline that has begun and whose progress is gone; it is saved, so that no later start takes it for new."""
    error = GapError(
        f"the pipeline's progress is gone from the control table {table} (it was re-created, or its items deleted): "
        f"where replication had come to is not known, and changes may be lost; {MENDS}"
    )
    return PipelineRecord(stream_arn="", gaps=(gap_of(error, now),))


def check_source(before: str, now: str) -> None:
    """By the streams' ARNs. Raises HaltError for another table's: somebody named it, perhaps by mistake.

    The replica becomes a copy of it only if somebody asks for that.
    """
    former, named = (arn.partition("/stream/")[0] for arn in (before, now))
    if former and former != named:
        raise HaltError(
            f"this pipeline has replicated {former} so far, and the settings name {named}: name the former again; or "
            "take a snapshot (POST /snapshot), which makes the replica a copy of the other table, and of nothing else"
        )


def stream_gone(arn: str) -> GapError:
    return GapError(
        f"the stream {arn} does not exist any more (it was switched off, or its table deleted): "
        f"changes made since are lost; if the table's stream is off now, switch it on; {MENDS}"
    )


def stream_off(arn: str) -> GapError:
    return GapError(
        f"the stream {arn} was switched off: changes made since are lost; if the table's stream is off now, switch it "
        f"on; {MENDS}"
    )


def shard_vanished(shard_id: ShardId, position: Position) -> GapError:
    after = position.after
    return GapError(
        f"the shard {shard_id} is gone from the stream before it was read to its end (read up to "
        f"{after or 'its start'}): what followed is lost; {MENDS}",
        shard_id,
        str(after) if after else None,
    )


def shard_trimmed(shard_id: ShardId, after: SequenceNumber | None, cause: Exception) -> GapError:
    return GapError(
        f"the shard {shard_id} can't be read on after {after or 'its start'} ({cause}): the history between "
        f"there and now is partly lost; {MENDS}",
        shard_id,
        str(after) if after else None,
    )
