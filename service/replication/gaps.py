"""What a gap is told as: which history is lost, since when, and what mends it."""

from __future__ import annotations

from service.errors import GapError
from service.model import Position, SequenceNumber, ShardId

MENDS = "a snapshot mends it: POST /snapshot, or set DYNAMIRROR_ON_GAP=snapshot"


def stream_gone(arn: str) -> GapError:
    return GapError(
        f"the stream {arn} does not exist any more (it was switched off, or its table deleted): "
        f"changes made since are lost; switch the table's stream on; {MENDS}"
    )


def stream_off(arn: str) -> GapError:
    return GapError(
        f"the stream {arn} was switched off: changes made since are lost; switch the table's stream on again; {MENDS}"
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
