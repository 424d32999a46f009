"""Which shards may be read now: pure, from the shards that are listed and those that were read to their end.

A shard is readable once its parent was read to its end, because lanes are chosen by item key alone and so keep a
key's order across shards (I1). A parent that was trimmed holds nothing back (E17): that is for the caller to
tell, for a parent that is missing from a list may be read just now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from service.model import Position, Shard, ShardId, StartAt
from service.pipeline_state import Checkpoint


def readable_shards(
    shards: Iterable[Shard], ended: Collection[ShardId], trimmed: Collection[ShardId] = ()
) -> list[Shard]:
    """The shards to read now, parents before children.

    `ended` were read to their end already; `trimmed` are gone, and nobody knows more of them than their ids.
    """
    return [
        shard
        for shard in shards
        if shard.shard_id not in ended
        and (shard.parent_id is None or shard.parent_id in ended or shard.parent_id in trimmed)
    ]


def first_checkpoints(shards: Iterable[Shard], start: StartAt, now: float) -> dict[ShardId, Checkpoint]:
    """Where a pipeline without any progress begins.

    `trim_horizon`: at the start of every shard. `latest`: at the tip of the open ones; those that are closed already
    count as settled, so that only shards that come later are read from their start (E16).
    """
    if start is StartAt.TRIM_HORIZON:
        return {}
    return {
        shard.shard_id: Checkpoint(
            shard_id=shard.shard_id,
            parent_id=shard.parent_id,
            position=Position(start=StartAt.LATEST, since=now),
            is_closed=not shard.is_open,
        )
        for shard in shards
    }
