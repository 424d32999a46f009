"""Which rights a pipeline needs, and what for: those of deploy/iam, in the order in which they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from service.check.inspection import Side
from service.configuration.settings import OnGap, Settings, StartFrom


@dataclass(frozen=True, slots=True)
class Right:
    side: Side
    operation: str
    is_needed: bool
    """False: only some of an operator's commands need it."""
    use: str


def rights(settings: Settings) -> list[Right]:
    """Without those that looking at the tables and reading the stream has proven."""
    heals = settings.on_gap is OnGap.SNAPSHOT
    verifies = bool(settings.verify_items_per_second)
    scans = settings.start_at is StartFrom.SNAPSHOT or heals or verifies
    return [
        Right("source", "GetItem", True, "confirms what a guarded write may do"),
        Right("source", "BatchGetItem", True, "the same for many changes at once"),
        Right("source", "Scan", scans, "snapshots and verifications"),
        Right("replica", "PutItem", True, "writes items"),
        Right("replica", "DeleteItem", True, "deletes items"),
        Right("replica", "GetItem", True, "looks at keys in doubt"),
        Right("replica", "BatchGetItem", True, "the same for many keys at once"),
        Right("replica", "Scan", heals or verifies, "verifications, and snapshots that mend a gap"),
        Right("control", "GetItem", True, "reads the lease and the progress"),
        Right("control", "Query", True, "reads checkpoints and dead letters"),
        Right("control", "PutItem", True, "stores dead letters and jobs"),
        Right("control", "UpdateItem", True, "takes the lease and saves the progress"),
        Right("control", "DeleteItem", True, "removes what is no longer needed"),
    ]


NOT_ASKED: dict[tuple[Side, str], str] = {
    ("replica", "BatchWriteItem"): "needed too; it takes no condition, so that asking for it would write",
}
