"""The pipeline's lag as each process can tell it (I8): the active one by its flow, the others by the lease's record.

The record says from when on changes may be unapplied, as an owner last knew. While an owner renews it, its lag as of
the last renewal is told; while nobody does, the lag grows from there, also in a process that can't read the record any
more. What nobody has ever told is null.
"""

from __future__ import annotations

from service.operations.documents.status import LagStatus
from service.operations.documents.utc_time import moment
from service.pipeline_state import LeaseRecord
from service.replication.lease import LeaseHolder
from service.replication.progress.lag import LEAST_SECONDS, Lag
from service.replication.replicator import Replicator

OVERDUE_LEASES = 0.5
"""A renewal is overdue after half a lease time: it is made every fifth of one, and looked for every tenth."""
CLOCK_SECONDS = 1.0
"""… and so much more, by which the clocks of two processes may differ: an answer's date has whole seconds."""


def lag_of_flow(flow: Replicator, lag: Lag, now: float, *, is_trusted: bool) -> LagStatus:
    """`is_trusted`: the lease is surely ours. Otherwise another process may know better."""
    unapplied = flow.progress.unsettled
    is_following = flow.is_reading and is_trusted
    listings = flow.readers.listings
    blind_since = listings.blind_since(now)
    is_shown = blind_since is None and not listings.is_off
    is_whole = is_shown and flow.checkpoints.is_whole
    is_caught_up = lag.is_caught_up and is_following and not unapplied and not flow.doubts and is_whole
    seconds = lag.seconds if flow.readers.readers else now - flow.readers.known_up_to
    if not is_caught_up:
        # Clocks differ, and a flow that just began does not know yet how far behind it is: not zero, at least (I8).
        unseen = [now - since for since in (flow.checkpoints.lost_since, blind_since) if since is not None]
        seconds = max(seconds, LEAST_SECONDS, *unseen)
    oldest = moment(lag.oldest_unapplied_at) if lag.oldest_unapplied_at is not None else None
    return LagStatus(
        seconds=round(seconds, 3),
        unapplied_records=unapplied,
        keys_in_doubt=len(flow.doubts),
        oldest_unapplied_at=oldest,
        caught_up=is_caught_up,
    )


def lag_without_flow(holder: LeaseHolder, left_behind_since: float, now: float) -> LagStatus:
    """`left_behind_since`: what a flow of this process knew when it ended, in seconds since the epoch; 0.0: none."""
    seconds = _seconds_behind(holder, left_behind_since, now)
    if seconds is not None:
        seconds = round(max(seconds, LEAST_SECONDS), 3)
    return lag_elsewhere(seconds)


def lag_elsewhere(seconds: float | None) -> LagStatus:
    """Where no flow runs, nothing else of it is known."""
    return LagStatus(
        seconds=seconds, unapplied_records=None, keys_in_doubt=None, oldest_unapplied_at=None, caught_up=False
    )


def _seconds_behind(holder: LeaseHolder, left_behind_since: float, now: float) -> float | None:
    record = holder.record
    # What is applied stays applied: of several who knew, the one who knew of more is right.
    since = max(left_behind_since, record.behind_since if record is not None else 0.0)
    if not since:
        return None
    if record is not None and holder.lease is None and _is_renewed(record, now):
        return record.renewed_at - since
    return now - since


def _is_renewed(record: LeaseRecord, now: float) -> bool:
    """Somebody has the lease, and renews it."""
    return not record.is_released and now - record.renewed_at <= record.lease_seconds * OVERDUE_LEASES + CLOCK_SECONDS
