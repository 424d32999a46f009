"""What the control table remembers of a pipeline: its lease, its place in the stream, its dead letters.

These values outlive the process; schemas/README.md describes how each is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.model import ItemKey, Position, SequenceNumber, ShardId, TableDescription

CLAIM = "claim"
"""The item that says which pipeline a replica belongs to."""


def claim_partition(replica: TableDescription) -> str:
    """Where a replica's claim lies in the control table: a pipeline's name can't be like it, since it has no `#`."""
    return f"replica#{replica.arn}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a shard is settled; what a restart goes on from. `is_closed`: settled to the end of a closed shard."""

    shard_id: ShardId
    position: Position
    parent_id: ShardId | None = None
    is_closed: bool = False
    read_up_to: float = 0.0
    """Everything made in the shard before this moment (seconds since the epoch) was read and settled; 0.0: unknown."""
    listed_at: float = 0.0
    """When a closed shard was last in the list (seconds since the epoch, in coarse steps); 0.0: not known."""


@dataclass(frozen=True, slots=True)
class Gap:
    """History that can't be read any more. `detected_at` in seconds since the epoch."""

    shard_id: ShardId | None
    after: SequenceNumber | None
    detected_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class KeysInDoubt:
    """Keys whose writes may still take effect although they were given up, see replication.doubts."""

    keys: tuple[ItemKey, ...]
    until: float
    """From then on (seconds since the epoch) none of them can."""
    left_out: int = 0
    """So many more keys were in doubt than are remembered here."""


@dataclass(frozen=True, slots=True)
class PipelineRecord:
    """All that a pipeline remembers of its place in the stream; saved and loaded as one."""

    stream_arn: str
    checkpoints: dict[ShardId, Checkpoint] = field(default_factory=dict)
    guarded_until: float = 0.0
    """Changes created before this moment (seconds since the epoch) may have been applied before."""
    gaps: tuple[Gap, ...] = ()
    in_doubt: KeysInDoubt | None = None
    needs_snapshot: bool = False
    """A snapshot must complete before the replica is whole (first start, or a gap that heals by itself)."""
    snapshot_id: str | None = None
    """The one job that may be that snapshot: an older one scanned before these positions. None: saved before it was."""
    replica_id: str | None = None
    """`TableDescription.table_id` of the replica that was written; None: not known, and the present one is taken."""
    shape_fingerprint: str | None = None
    """Of the settings that shaped every item (replication.writing.fingerprint). None: not known, take the present."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for a pipeline. Trust in it ends on the monotonic clock, see replication.lease."""

    owner: str
    generation: int


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The lease as the control table holds it. Times are the owner's wall clock, in seconds since the epoch."""

    owner: str
    generation: int
    renewed_at: float
    lease_seconds: float
    renewals: int
    """Changes with every renewal: who watches it stand still for `lease_seconds` knows that the owner is gone."""
    is_released: bool = False
    is_clean: bool = False
    """Released with every applied change behind its checkpoint: nothing needs the guard on the next start."""
    is_paused: bool = False
    paused_since: float = 0.0
    """Since when it is paused; 0.0 when it is not, or nobody told."""
    paused_by: str = ""
    """Who paused it, as the admin API knows; empty when it is not paused, or nobody told."""
    behind_since: float = 0.0
    """From when on changes at the source may be unapplied, as an owner last knew; 0.0 when none ever did."""
    wanted_by: str = ""
    """A standby that asks the owner to hand the pipeline over."""
    asks: int = 0
    """Counts how often one has asked: what was asked once is answered once."""
    reserved_for: str = ""
    """Released for this process; others leave it alone for a lease time."""
    taken_at: float = 0.0
    taken_generation: int = 0
    """Of which owner `taken_at` is told: one of an earlier version tells nothing, and leaves what another told."""

    @property
    def held_since(self) -> float:
        """When its owner took it; 0.0 when nobody holds it, or nobody told."""
        return self.taken_at if self.taken_generation == self.generation and not self.is_released else 0.0


@dataclass(frozen=True, slots=True)
class ReplicaClaim:
    """That a replica belongs to one pipeline."""

    claimed_by: str
    """The pipeline's name."""
    source: str
    """Its source's ARN."""
    replica_id: str
    """`TableDescription.table_id` of the replica: a table that was created anew is nobody's. Empty: not known."""
    claimed_at: float
    """When the pipeline claimed it last, which is when it started, in seconds since the epoch."""


SNAPSHOT = "SNAPSHOT"
"""The event name of a letter whose item came from a scan, and from no record of the stream."""


SURELY_BEFORE_SECONDS = 120.0
"""By so much more a record must be older than a scan to be older than what the scan saw: creation times are rounded
down by up to a minute, and a page is as old as its request. What is newer than that is in the stream still."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A change that could not be written, with all that a redrive needs: the newest of its key with its cause."""

    id: str
    """Made for the first change of its identity, and kept: its number sorts it."""
    shard_id: ShardId
    sequence: SequenceNumber | None
    event_name: str
    key: ItemKey | None
    error: str
    attempts: int
    failed_at: float
    record: bytes = b""
    """The stream record as it came, JSON; empty in lists."""
    identity: str = ""
    """One cause of one key, or one record that names no key: there is one letter of it. Empty: a former version's."""
    created_at: float = 0.0
    """When the change was made at the source (seconds since the epoch), as far as that is known."""
    state: str = ""
    """A digest of the item that it brings; empty where it brings none."""
    version: str = ""
    """Another one with each record that is put into the letter: what is done to a letter is done to what was seen."""

    def replaces(self, kept: DeadLetter) -> bool:
        """Whether its record takes the kept one's place: none that is older, nor a scan's of the same state.

        A scan's of another state always does: that may be an older one, but a redrive of it brings what the source
        holds then, and where history was lost, no record of the newer state is still to come.
        """
        is_scan, was_scan = self.event_name == SNAPSHOT, kept.event_name == SNAPSHOT
        if is_scan and not was_scan:
            return self.state != kept.state
        if was_scan and not is_scan:
            return self.state == kept.state or self.created_at + SURELY_BEFORE_SECONDS >= kept.created_at
        return (self.created_at, self.sequence or 0) >= (kept.created_at, kept.sequence or 0)

    @property
    def comes_again(self) -> bool:
        """Its record has no sequence number: no checkpoint can pass it while it is the last of its shard."""
        return self.sequence is None and self.event_name != SNAPSHOT


@dataclass(frozen=True, slots=True)
class JobSlot:
    """Room for the one unfinished job of a kind in a pipeline."""

    generation: int
    """Of the lease whose owner may write here."""
    job_id: str | None = None
    """None: there is no unfinished job."""
    document: dict[str, Any] = field(default_factory=dict)
    """The job's, as JobStore keeps it."""


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration of schemas/ that the control table went through. `checksum` is the SHA-256 of its file, in hex."""

    number: int
    name: str
    checksum: str
    applied_at: float
    applied_by: str
