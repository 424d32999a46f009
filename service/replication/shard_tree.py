"""Which shards may be read now: pure, from the shards that are listed and those that were read to their end.

A shard is readable once its parent was read to its end, because lanes are chosen by item key alone and so keep a
key's order across shards (I1). A parent that is not listed (it was trimmed) holds nothing back (E17).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from service.control import Checkpoint
from service.model import Position, Shard, ShardId, StartAt


def readable_shards(shards: Iterable[Shard], ended: Collection[ShardId]) -> list[Shard]:
    """The shards to read now, parents before children; `ended` were read to their end already."""
    listed = list(shards)
    known = {shard.shard_id for shard in listed}
    return [
        shard
        for shard in listed
        if shard.shard_id not in ended and (shard.parent_id not in known or shard.parent_id in ended)
    ]


def vanished_shards(shards: Iterable[Shard], checkpoints: Mapping[ShardId, Checkpoint]) -> list[Checkpoint]:
    """Checkpoints of shards that were not settled to their end and are not listed any more: gaps (E8)."""
    known = {shard.shard_id for shard in shards}
    return [saved for saved in checkpoints.values() if not saved.is_closed and saved.shard_id not in known]


def forgettable_shards(shards: Iterable[Shard], closed: Collection[ShardId]) -> set[ShardId]:
    """Closed shards that are not listed any more: nothing can ever ask for them again (E23)."""
    known = {shard.shard_id for shard in shards}
    return {shard_id for shard_id in closed if shard_id not in known}


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
