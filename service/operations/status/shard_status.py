"""Each shard as the status shows it: how far it is, and how it is doing."""

from __future__ import annotations

from collections.abc import Sequence

from service.model import ShardId
from service.operations.documents.status import ShardState, ShardStatus
from service.operations.status.readiness import may_read, overdue
from service.pipeline_state import Gap
from service.replication.progress.lag import ShardView, shard_lag
from service.replication.replicator import Replicator


def shard_views(flow: Replicator) -> dict[ShardId, ShardView]:
    """What lag is made of, for each shard that is being read or holds unsettled changes."""
    still_open = {reader.shard.shard_id: reader for reader in flow.readers.open_readers()}
    views = {}
    for shard_id, reader in (flow.readers.readers | still_open).items():
        progress = flow.progress.shards.get(shard_id)
        ended = shard_id in flow.readers.ended_at
        views[shard_id] = ShardView(
            is_open=shard_id in still_open,
            oldest_unsettled_at=progress.oldest_unsettled_at if progress else None,
            read_up_to=reader.read_up_to,
            # An ended shard without a known child has no tip: its child holds what comes next.
            tip_seen_at=None if ended else reader.tip_seen_at,
            poll_seconds=reader.poll_seconds,
        )
    return views


def shards_of(flow: Replicator, views: dict[ShardId, ShardView], now: float) -> list[ShardStatus]:
    """All that are listed or in progress, by their ids."""
    readers = flow.readers
    shown = []
    for shard_id in readers.shards.keys() | flow.progress.shards.keys():
        listed, progress = readers.shards.get(shard_id), flow.progress.shards.get(shard_id)
        view = views.get(shard_id)
        parent = listed.parent_id if listed else (progress.parent_id if progress else None)
        shown.append(
            ShardStatus(
                shard_id=shard_id,
                parent_shard_id=parent,
                state=_state(flow, shard_id, now),
                checkpoint=_saved_number(flow, shard_id),
                last_read=str(progress.read_through) if progress and progress.read_through else None,
                lag_seconds=round(shard_lag(view, now), 3) if view else 0.0,
                records_read=progress.records_read if progress else 0,
                records_applied=progress.records_settled if progress else 0,
            )
        )
    return sorted(shown, key=lambda shard: shard.shard_id)


def shards_left(shards: Sequence[ShardStatus], gaps: Sequence[Gap], seconds: float) -> list[ShardStatus]:
    """As a flow left them so long ago: those of a gap are failed, and what was open is further behind."""
    lost = {gap.shard_id for gap in gaps}
    shown = []
    for shard in shards:
        changed: dict[str, object] = {}
        if shard.shard_id in lost:
            changed["state"] = ShardState.FAILED
        if shard.state is not ShardState.CLOSED:
            changed["lag_seconds"] = round(shard.lag_seconds + seconds, 3)
        shown.append(shard.model_copy(update=changed))
    return shown


def _state(flow: Replicator, shard_id: ShardId, now: float) -> ShardState:
    progress, reader = flow.progress.shards.get(shard_id), flow.readers.readers.get(shard_id)
    if shard_id in flow.readers.ended_at:
        return ShardState.CLOSED if progress is None or not progress.unsettled else ShardState.DRAINED
    if reader is None:
        return ShardState.WAITING_FOR_PARENT
    is_dead = may_read(flow) and overdue(reader.tries_since, now) is not None
    return ShardState.FAILED if is_dead else ShardState.READING


def _saved_number(flow: Replicator, shard_id: ShardId) -> str | None:
    saved = flow.checkpoints.saved.checkpoints.get(shard_id)
    return str(saved.position.after) if saved is not None and saved.position.after is not None else None
