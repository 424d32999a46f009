"""What the flow needs from the outside, as narrow protocols; service.aws implements them, the tests' fakes too.

Every call may raise RetryableError and its kinds; none retries by itself: the flow waits. A cancelled call may have
taken effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.model import (
    Condition,
    Delete,
    Image,
    ItemKey,
    ItemWrite,
    KeyAttribute,
    Page,
    Position,
    Put,
    ScanPage,
    Seen,
    ShardId,
    StreamDescription,
    TableDescription,
    Written,
)
from service.pipeline_state import (
    AppliedMigration,
    DeadLetter,
    Gap,
    JobSlot,
    Lease,
    LeaseRecord,
    PipelineRecord,
    ReplicaClaim,
)
from service.side_thread import SideThread


class Clock(Protocol):
    """Time that a test can move."""

    def now(self) -> float:
        """Seconds since the epoch, by AWS's clock as far as it is known."""

    def offset(self) -> float | None:
        """AWS's time less this machine's wall clock; None while it is unknown."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    async def sleep(self, seconds: float) -> None: ...


class Streams(Protocol):
    """The source's change stream."""

    async def describe(self) -> StreamDescription:
        """All shards, all pages of DescribeStream. Raises ShardGoneError when the stream does not exist."""

    async def iterator(self, shard_id: ShardId, position: Position) -> str:
        """An iterator; LATEST is the tip now: the caller remembers since when. Raises TrimmedError, ShardGoneError."""

    async def read(self, shard_id: ShardId, iterator: str, limit: int) -> Page:
        """At most `limit` records (1 to 1000). Raises IteratorExpiredError, TrimmedError, ShardGoneError."""


class Table(Protocol):
    """Reading either table. Reads are strongly consistent."""

    async def describe(self) -> TableDescription:
        """Raises RefusedError when the table does not exist or may not be described."""

    async def get(self, key: ItemKey) -> Image | None: ...

    async def get_many(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Image]:
        """At most 100 different keys; a key that is missing from the answer has no item."""

    async def scan(self, segment: int, segments: int, after: ItemKey | None, limit: int | None = None) -> ScanPage: ...


class ReplicaTable(Table, Protocol):
    """Writing the replica. Raises ChangeError and its kinds for a write that the table will not take."""

    async def write_batch(self, writes: Sequence[ItemWrite]) -> list[ItemKey]:
        """Up to 25 writes of different keys, unconditionally, in no order; returns the keys left unprocessed (E38).

        Raises BatchRefusedError when the whole batch is invalid (nothing was written) and ThrottledError when none
        was processed.
        """

    async def put(self, write: Put, condition: Condition | None) -> Written | Seen: ...

    async def delete(self, write: Delete, condition: Condition | None) -> Written | Seen: ...


class LeaseStore(Protocol):
    """The lease of one pipeline. Every call is one atomic request."""

    async def read_lease(self) -> LeaseRecord | None: ...

    async def acquire_lease(
        self, owner: str, seen: LeaseRecord | None, lease_seconds: float, now: float
    ) -> LeaseRecord:
        """Take the lease if it still is as it was seen; the generation grows by one. Raises LeaseLostError if not."""

    async def renew_lease(self, lease: Lease, now: float, behind_since: float | None = None) -> LeaseRecord:
        """The lease as it is now, `is_paused` included. Raises LeaseLostError if it is another's.

        `behind_since`: from when on its owner knows changes to be unapplied; None leaves what is known.
        """

    async def release_lease(
        self, lease: Lease, is_clean: bool, now: float, behind_since: float | None = None, reserved_for: str = ""
    ) -> None:
        """Let the next owner in at once, or only `reserved_for`. Raises LeaseLostError if it is another's already."""

    async def ask_for_lease(self, asker: str, seen: LeaseRecord) -> None:
        """Its owner sees it in its next renewal. Raises LeaseLostError if it has another owner than `seen`."""

    async def set_paused(self, is_paused: bool, now: float | None = None, by: str = "") -> tuple[float, str]:
        """Durable, by anyone; the owner sees it in its next renewal. `now` and `by`: unless it is paused already.

        Returns since when it is paused and who asked for it; 0.0 and empty: unknown.
        """


class ProgressStore(Protocol):
    """Where in the stream the pipeline stands; every write is fenced by the lease's generation."""

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        """Fence former owners off, and return what they saved last; None on a pipeline's first start."""

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        """Replace what was saved, wholly or not at all, at the price of what changed.

        Raises LeaseLostError if a later owner has adopted it. A late request never counts after a newer one.
        """

    async def read_progress(self) -> PipelineRecord | None:
        """Without a lease, for showing only; all of it, which is much with thousands of shards."""

    async def read_gaps(self) -> tuple[Gap, ...]:
        """Those of the progress, by one small answer; none where nothing was saved."""


class DeadLetterStore(Protocol):
    """One letter for one identity. Its count changes with the letters, in the same request, so that it is exact."""

    async def put_dead_letters(self, letters: Sequence[DeadLetter]) -> list[str | None]:
        """Each stored whole, or none at all; the ids that they are kept under. At most 25, of different identities.

        Where there is a letter of that identity, its tries add up under its id, and it takes the record if that is not
        older. None: the record comes again, and was discarded. May be repeated: a letter's `version` counts once.
        """

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        """By their ids, without their records. Raises ValueError for a cursor that is none."""

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    async def note_dead_letter(self, letter: DeadLetter) -> bool:
        """Keep its `attempts`, `error` and `failed_at`; False where it is gone or has another version."""

    async def delete_dead_letter(self, letter_id: str, now: float, version: str | None = None) -> bool:
        """False if there was none, or one of another version. What comes again is known to be settled from `now` on."""

    async def count_dead_letters(self) -> int | None:
        """None while letters of a former version are not counted. One small read, however many there are."""

    async def adopt_dead_letters(self, identities: Mapping[str, str]) -> None:
        """Count letters of a former version, by their ids, at most 25; again is nothing."""

    async def finish_adopting(self) -> None:
        """All letters are counted from now on."""


class JobStore(Protocol):
    """What an operator asked for: replays, snapshots, verifications. A document each, by kind and id.

    A job under way lies in its kind's slot, which only the lease's owner writes; ended ones are filed by their ids.
    """

    async def read_slot(self, kind: str) -> JobSlot | None:
        """Without a lease, for showing. None: no version that knows slots has had such a job in its hands."""

    async def adopt_slot(self, kind: str, generation: int) -> JobSlot:
        """Fence former owners off, and return what they left. Raises LeaseLostError for a former owner."""

    async def begin_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> str | None:
        """None: it is in the slot; else the id of the one that is, its own too. LeaseLostError for a former owner."""

    async def save_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        """Replace the slot's document. Raises LeaseLostError if the slot has another owner or another job."""

    async def file_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        """Put the document by its id, then empty the slot; may be repeated. Raises LeaseLostError as `save_job`."""

    async def put_job(self, kind: str, job_id: str, document: Mapping[str, Any]) -> None: ...

    async def get_job(self, kind: str, job_id: str) -> dict[str, Any] | None: ...

    async def list_jobs(self, kind: str, limit: int) -> list[dict[str, Any]]:
        """Newest first: ids sort by the time of their making."""


class FixedStore(Protocol):
    async def put_fixed(self, kind: str, job_id: str, content: bytes) -> None:
        """What a job is made of and never changes, of any size. May be repeated; a crash can leave a part, or none."""

    async def get_fixed(self, kind: str, job_id: str) -> bytes | None:
        """Whole, or None."""

    async def forget_fixed_before(self, kind: str, job_id: str) -> None:
        """What jobs of the kind with smaller ids have stored. May be repeated."""


class ClaimStore(Protocol):
    """Which pipeline a replica belongs to."""

    async def claim_replica(
        self, replica: TableDescription, source: TableDescription, now: float
    ) -> ReplicaClaim | None:
        """Claim the replica for this pipeline; again is the same. None: it is ours, else the claim of whoever has it.

        One atomic request: of several pipelines one gets it. The claim on a table with another id is void.
        """

    async def read_claim(self, replica: TableDescription) -> ReplicaClaim | None:
        """This pipeline's claim on the replica; None when nobody has one, or another pipeline."""


class ControlStore(LeaseStore, ProgressStore, DeadLetterStore, JobStore, FixedStore, ClaimStore, Protocol):
    """The control table, for one pipeline."""


class SchemaStore(Protocol):
    """The control table's own form, for service.migrations alone."""

    @property
    def table(self) -> str:
        """The control table's name or ARN."""

    async def keys(self) -> tuple[KeyAttribute, ...] | None:
        """The table's keys; None when there is no table. Waits while it is being created or deleted."""

    async def apply_step(self, kind: str, arguments: Mapping[str, Any]) -> None:
        """Do one step, until it is in effect; again is nothing. Raises HaltError where waiting mends nothing."""

    async def applied(self) -> list[AppliedMigration]:
        """What was recorded, by number."""

    async def record(self, migration: AppliedMigration) -> None:
        """Recorded once; recording the same number again changes nothing."""

    async def lock(self, owner: str, now: float, seconds: float) -> bool:
        """Take or prolong the right to migrate; False while another owner has it. Seconds since the epoch."""

    async def unlock(self, owner: str) -> None:
        """Nothing if another owner has it."""


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """An event source mapping of Lambda. `state` as its API names it: `Enabled`, `Disabling`, `Disabled`, …"""

    id: str
    function_arn: str
    state: str
    last_result: str
    reports_failures: bool
    """What the function answers counts (`ReportBatchItemFailures`)."""
    changed_at: float
    """When it was last configured or switched, in seconds since the epoch."""


class SourceMappings(Protocol):
    """Lambda's side of a pipeline that it replicates."""

    async def of_stream(self, stream_arn: str) -> list[SourceMapping]: ...

    async def switch(self, mapping_id: str, *, is_on: bool) -> None:
        """Asked for; the mapping's state follows."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """Everything outside, as one process holds it."""

    streams: Streams
    source: Table
    replica: ReplicaTable
    control: ControlStore
    schema: SchemaStore
    clock: Clock
    aside: SideThread | None = None
    """None: a user's code runs in the event loop."""
