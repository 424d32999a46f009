"""Keeps what is known of lost history with the pipeline's place in the stream, until a snapshot has mended it."""

from __future__ import annotations

from dataclasses import replace

from service.control import Gap, Lease
from service.errors import GapError
from service.model import SequenceNumber, ShardId
from service.ports import ProgressStore


def gap_of(error: GapError, now: float) -> Gap:
    """`now` in seconds since the epoch."""
    return Gap(
        shard_id=ShardId(error.shard_id) if error.shard_id else None,
        after=SequenceNumber.parse(error.after) if error.after else None,
        detected_at=now,
        reason=str(error),
    )


async def record_gap(store: ProgressStore, lease: Lease, gap: Gap) -> tuple[Gap, ...]:
    """All gaps that are known then. A gap is kept once, however often a restart finds it again.

    Raises LeaseLostError, RetryableError.
    """
    saved = await store.adopt_progress(lease)
    if saved is None:
        return (gap,)
    if any(
        (known.shard_id, known.after, known.reason) == (gap.shard_id, gap.after, gap.reason) for known in saved.gaps
    ):
        return saved.gaps
    gaps = (*saved.gaps, gap)
    await store.save_progress(lease, replace(saved, gaps=gaps))
    return gaps
