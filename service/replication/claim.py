"""Keeps a replica to one pipeline: what the source of one lacks, the heal or the repair of another would delete."""

from __future__ import annotations

from datetime import UTC, datetime

from service.errors import ReplicaTakenError
from service.model import TableDescription
from service.pipeline_state import CLAIM, claim_partition
from service.ports import Adapters, ClaimStore


async def claim_replica(adapters: Adapters, source: TableDescription, replica: TableDescription) -> None:
    """Claim the replica, as it is described now, for this pipeline; again is nothing, and renews what the claim tells.

    One conditional write. Raises ReplicaTakenError when it belongs to another pipeline, RetryableError.
    """
    held = await adapters.control.claim_replica(replica, source, adapters.clock.now())
    if held is None:
        return
    started = datetime.fromtimestamp(held.claimed_at, UTC)
    raise ReplicaTakenError(
        f"the replica {replica.name} belongs to the pipeline {held.claimed_by!r} already (its source is "
        f"{held.source}, its last start was at {started:%Y-%m-%d %H:%M:%S} UTC): two pipelines on one replica would "
        f"delete each other's items; name another replica table; or, if {held.claimed_by!r} is given up, delete the "
        f"item {CLAIM!r} of {claim_partition(replica)!r} from the control table {adapters.schema.table} and start "
        f"again; or, if it was this pipeline's name, keep it: DYNAMIRROR_PIPELINE={held.claimed_by}"
    )


async def check_claim(control: ClaimStore, replica: TableDescription) -> None:
    """Raises ReplicaTakenError when this pipeline's claim is gone: another is to have the replica; RetryableError."""
    if await control.read_claim(replica) is None:
        raise ReplicaTakenError(
            f"this pipeline's claim on the replica {replica.name} is gone from the control table (the item {CLAIM!r} "
            f"of {claim_partition(replica)!r}): another pipeline takes the replica over, and nothing more is written "
            "here; if that is not so, start this one again"
        )
