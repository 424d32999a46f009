"""The control table in memory, with the semantics of the real one and places where a test can make it fail.

table = FakeControlTable()
store, other_process = FakeControlStore(table), FakeControlStore(table)
store.fail_next(ThrottledError("slow down"), on="save_progress")      # nothing happens, it raises
store.fail_next(AmbiguousError("reset"), on="save_progress", after=True)  # it happens, and raises
store.before_call = gate       # async (name) -> None, awaited before every call; may wait or raise
table.writes                   # what changed the table, in order: ("save_progress", record) …
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import orjson

from service.errors import LeaseLostError
from service.model import TableDescription
from service.pipeline_state import DeadLetter, Gap, JobSlot, Lease, LeaseRecord, PipelineRecord, ReplicaClaim

_CURSOR = "dead-letter#"
Anything = TypeVar("Anything")


@dataclass
class FakePipeline:
    """One pipeline's items."""

    lease: LeaseRecord | None = None
    is_paused: bool = False
    paused_since: float = 0.0
    progress_generation: int | None = None
    progress: PipelineRecord | None = None
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """The letters' ids by their identities."""
    settled: dict[str, float] = field(default_factory=dict)
    """When letters whose record comes again were discarded, by their identities."""
    last_try: dict[str, str] = field(default_factory=dict)
    count: int = 0
    is_counted: bool = False
    jobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    slots: dict[str, JobSlot] = field(default_factory=dict)
    fixed: dict[tuple[str, str], bytes] = field(default_factory=dict)


@dataclass
class FakeControlTable:
    """What several processes share."""

    pipelines: dict[str, FakePipeline] = field(default_factory=dict)
    claims: dict[str, ReplicaClaim] = field(default_factory=dict)
    """By the replica's ARN."""
    writes: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, pipeline: str) -> FakePipeline:
        return self.pipelines.setdefault(pipeline, FakePipeline())


@dataclass
class _Failure:
    error: BaseException
    on: str | None
    after: bool


class FakeControlStore:
    """service.ports.ControlStore as one process sees it. Every call gives other tasks their turn first."""

    def __init__(self, table: FakeControlTable | None = None, pipeline: str = "source--replica") -> None:
        self.table = FakeControlTable() if table is None else table
        self.pipeline = pipeline
        self.calls: list[str] = []
        self.before_call: Callable[[str], Awaitable[None]] | None = None
        self.after_call: Callable[[str], Awaitable[None]] | None = None
        self._failures: list[_Failure] = []

    @property
    def items(self) -> FakePipeline:
        return self.table.of(self.pipeline)

    def fail_next(self, error: BaseException, *, on: str | None = None, after: bool = False, times: int = 1) -> None:
        """Make the next calls (of the name `on`, or any) raise; `after` they have taken effect, as a lost answer."""
        self._failures += [_Failure(error, on, after) for _ in range(times)]

    async def read_lease(self) -> LeaseRecord | None:
        async with self._call("read_lease"):
            return None if self.items.lease is None else self._with_pause(self.items.lease)

    async def acquire_lease(
        self, owner: str, seen: LeaseRecord | None, lease_seconds: float, now: float
    ) -> LeaseRecord:
        async with self._call("acquire_lease"):
            _finite(lease_seconds, now)
            held = self.items.lease
            is_as_seen = (
                held is None
                if seen is None
                else held is not None and (held.generation, held.renewals) == (seen.generation, seen.renewals)
            )
            if not is_as_seen:
                raise LeaseLostError("the lease is not as it was seen")
            generation = 1 if seen is None else seen.generation + 1
            renewals = 1 if held is None else held.renewals + 1
            known = held.behind_since if held else 0.0
            asks = held.asks if held else 0
            self.items.lease = LeaseRecord(
                owner, generation, now, lease_seconds, renewals, behind_since=known, asks=asks
            )
            return self._wrote("acquire_lease", self._with_pause(self.items.lease))

    async def renew_lease(self, lease: Lease, now: float, behind_since: float | None = None) -> LeaseRecord:
        async with self._call("renew_lease"):
            _finite(now)
            held = self._mine(lease)
            if held.is_released:
                raise LeaseLostError("the lease was released")
            known = held.behind_since if behind_since is None else behind_since
            self.items.lease = replace(held, renewed_at=now, renewals=held.renewals + 1, behind_since=known)
            return self._wrote("renew_lease", self._with_pause(self.items.lease))

    async def release_lease(
        self, lease: Lease, is_clean: bool, now: float, behind_since: float | None = None, reserved_for: str = ""
    ) -> None:
        async with self._call("release_lease"):
            _finite(now)
            held = self._mine(lease)
            known = held.behind_since if behind_since is None else behind_since
            released = replace(held, renewed_at=now, is_released=True, is_clean=is_clean, behind_since=known)
            self.items.lease = replace(released, reserved_for=reserved_for)
            self._wrote("release_lease", self.items.lease)

    async def ask_for_lease(self, asker: str, seen: LeaseRecord) -> None:
        async with self._call("ask_for_lease"):
            held = self._mine(Lease(seen.owner, seen.generation))
            if held.is_released:
                raise LeaseLostError("the lease was released")
            self.items.lease = self._wrote("ask_for_lease", replace(held, wanted_by=asker, asks=held.asks + 1))

    async def set_paused(self, is_paused: bool, now: float | None = None) -> float:
        async with self._call("set_paused"):
            if not (is_paused and self.items.is_paused and self.items.paused_since):
                self.items.paused_since = (now or 0.0) if is_paused else 0.0
            self.items.is_paused = self._wrote("set_paused", is_paused)
            return self.items.paused_since

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        async with self._call("adopt_progress"):
            if (self.items.progress_generation or 0) > lease.generation:
                raise LeaseLostError("a later owner has adopted the progress")
            self.items.progress_generation = self._wrote("adopt_progress", lease.generation)
            return _copy(self.items.progress)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        async with self._call("save_progress"):
            _finite(record.guarded_until)
            if self.items.progress_generation != lease.generation:
                raise LeaseLostError("a later owner has adopted the progress")
            self.items.progress = self._wrote("save_progress", _copy(record))

    async def read_progress(self) -> PipelineRecord | None:
        async with self._call("read_progress"):
            return _copy(self.items.progress)

    async def read_gaps(self) -> tuple[Gap, ...]:
        async with self._call("read_gaps"):
            return () if self.items.progress is None else self.items.progress.gaps

    async def put_dead_letters(self, letters: Sequence[DeadLetter]) -> list[str | None]:
        async with self._call("put_dead_letters"):
            assert 0 < len(letters) == len({letter.identity for letter in letters}) <= 25
            for letter in letters:
                _finite(letter.failed_at, letter.created_at)
            return [self._put(letter) for letter in letters]

    def _put(self, letter: DeadLetter) -> str | None:
        items = self.items
        kept = items.letters.get(items.places.get(letter.identity, ""))
        if kept is None:
            if items.places.pop(letter.identity, None) is not None:
                items.count -= 1
            settled_at = items.settled.get(letter.identity, -math.inf)
            if letter.comes_again and letter.failed_at - settled_at < 48 * 3600:
                return None
            items.count += 1
            items.places[letter.identity] = letter.id
            items.letters[letter.id] = self._wrote("put_dead_letters", letter)
        elif items.last_try.get(kept.id) != letter.version:
            told = {"attempts": kept.attempts + letter.attempts, "error": letter.error, "failed_at": letter.failed_at}
            newest = replace(letter, id=kept.id) if letter.replaces(kept) else kept
            items.letters[kept.id] = self._wrote("put_dead_letters", replace(newest, **told))
        letter_id = items.places[letter.identity]
        items.last_try[letter_id] = letter.version
        return letter_id

    async def note_dead_letter(self, letter: DeadLetter) -> bool:
        async with self._call("note_dead_letter"):
            kept = self.items.letters.get(letter.id)
            if kept is None or kept.version != letter.version:
                return False
            told = {"attempts": letter.attempts, "error": letter.error, "failed_at": letter.failed_at}
            self.items.letters[letter.id] = self._wrote("note_dead_letter", replace(kept, **told))
            return True

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        async with self._call("list_dead_letters"):
            after = "" if cursor is None else _id_behind(cursor)
            ids = sorted(letter_id for letter_id in self.items.letters if letter_id > after)
            listed = [replace(self.items.letters[letter_id], record=b"") for letter_id in ids[:limit]]
            return listed, _cursor_after(ids[limit - 1]) if len(ids) > limit else None

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        async with self._call("get_dead_letter"):
            return self.items.letters.get(letter_id)

    async def delete_dead_letter(self, letter_id: str, now: float, version: str | None = None) -> bool:
        async with self._call("delete_dead_letter"):
            _finite(now)
            items, kept = self.items, self.items.letters.get(letter_id)
            if kept is None or version not in (None, kept.version):
                return False
            del items.letters[self._wrote("delete_dead_letter", letter_id)]
            if kept.identity:
                items.count -= 1
            if items.places.get(kept.identity) == letter_id:
                del items.places[kept.identity]
            if kept.comes_again and kept.identity:
                items.settled[kept.identity] = now
            return True

    async def count_dead_letters(self) -> int | None:
        async with self._call("count_dead_letters"):
            return self.items.count if self.items.is_counted else None

    async def adopt_dead_letters(self, identities: Mapping[str, str]) -> None:
        async with self._call("adopt_dead_letters"):
            items = self.items
            for letter_id, identity in identities.items():
                kept = items.letters.get(letter_id)
                if kept is not None and not kept.identity:
                    items.places.setdefault(identity, letter_id)
                    items.letters[letter_id] = replace(kept, identity=identity, version=letter_id)
                    items.count += 1
                    self._wrote("adopt_dead_letters", letter_id)

    async def finish_adopting(self) -> None:
        async with self._call("finish_adopting"):
            self.items.is_counted = self._wrote("finish_adopting", True)

    async def put_job(self, kind: str, job_id: str, document: Mapping[str, Any]) -> None:
        async with self._call("put_job"):
            self.items.jobs[kind, job_id] = orjson.dumps(document)
            self._wrote("put_job", (kind, job_id, orjson.loads(self.items.jobs[kind, job_id])))

    async def get_job(self, kind: str, job_id: str) -> dict[str, Any] | None:
        async with self._call("get_job"):
            found = self.items.jobs.get((kind, job_id))
            return None if found is None else orjson.loads(found)

    async def list_jobs(self, kind: str, limit: int) -> list[dict[str, Any]]:
        async with self._call("list_jobs"):
            newest_first = sorted((key for key in self.items.jobs if key[0] == kind), reverse=True)
            return [orjson.loads(self.items.jobs[key]) for key in newest_first[:limit]]

    async def read_slot(self, kind: str) -> JobSlot | None:
        async with self._call("read_slot"):
            return self.items.slots.get(kind)

    async def adopt_slot(self, kind: str, generation: int) -> JobSlot:
        async with self._call("adopt_slot"):
            slot = replace(self._slot(kind, generation), generation=generation)
            self.items.slots[kind] = self._wrote("adopt_slot", slot)
            return slot

    async def begin_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> str | None:
        async with self._call("begin_job"):
            held = self.items.slots.get(kind)
            if held is not None and held.job_id is not None:
                return held.job_id
            self._slot(kind, generation)
            slot = JobSlot(generation, job_id, orjson.loads(orjson.dumps(document)))
            self.items.slots[kind] = self._wrote("begin_job", slot)
            return None

    async def save_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        async with self._call("save_job"):
            held = self.items.slots.get(kind)
            if held is None or (held.job_id, held.generation) != (job_id, generation):
                raise LeaseLostError("the slot has another owner or another job")
            slot = replace(held, document=orjson.loads(orjson.dumps(document)))
            self.items.slots[kind] = self._wrote("save_job", slot)

    async def file_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        async with self._call("file_job"):
            self.items.jobs[kind, job_id] = orjson.dumps(document)
            held = self.items.slots.get(kind)
            if held is None or held.generation != generation or held.job_id not in (job_id, None):
                raise LeaseLostError("the slot has another owner or another job")
            self.items.slots[kind] = self._wrote("file_job", JobSlot(generation))

    def _slot(self, kind: str, generation: int) -> JobSlot:
        held = self.items.slots.get(kind) or JobSlot(generation)
        if held.generation > generation:
            raise LeaseLostError("a later owner has the slot")
        return held

    async def put_fixed(self, kind: str, job_id: str, content: bytes) -> None:
        async with self._call("put_fixed"):
            self.items.fixed[kind, job_id] = self._wrote("put_fixed", content)

    async def get_fixed(self, kind: str, job_id: str) -> bytes | None:
        async with self._call("get_fixed"):
            return self.items.fixed.get((kind, job_id))

    async def forget_fixed_before(self, kind: str, job_id: str) -> None:
        async with self._call("forget_fixed_before"):
            for key in [key for key in self.items.fixed if key[0] == kind and key[1] < job_id]:
                self._wrote("forget_fixed_before", self.items.fixed.pop(key))

    async def claim_replica(
        self, replica: TableDescription, source: TableDescription, now: float
    ) -> ReplicaClaim | None:
        async with self._call("claim_replica"):
            _finite(now)
            held = self.table.claims.get(replica.arn)
            if held is not None and held.claimed_by != self.pipeline:
                ids = (held.replica_id, replica.table_id)
                if "" in ids or ids[0] == ids[1]:
                    return held
            claim = ReplicaClaim(self.pipeline, source.arn, replica.table_id, now)
            self.table.claims[replica.arn] = self._wrote("claim_replica", claim)
            return None

    async def read_claim(self, replica: TableDescription) -> ReplicaClaim | None:
        async with self._call("read_claim"):
            held = self.table.claims.get(replica.arn)
            return held if held is not None and held.claimed_by == self.pipeline else None

    def _with_pause(self, held: LeaseRecord) -> LeaseRecord:
        return replace(held, is_paused=self.items.is_paused, paused_since=self.items.paused_since)

    def _mine(self, lease: Lease) -> LeaseRecord:
        held = self.items.lease
        if held is None or (held.owner, held.generation) != (lease.owner, lease.generation):
            raise LeaseLostError("the lease belongs to another owner")
        return held

    def _wrote(self, name: str, what: Anything) -> Anything:
        self.table.writes.append((name, what))
        return what

    def _call(self, name: str) -> _Call:
        return _Call(self, name)

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        if self.before_call is not None:
            await self.before_call(name)
        else:
            await asyncio.sleep(0)
        self._fail(name, after=False)

    async def _end(self, name: str) -> None:
        self._fail(name, after=True)
        if self.after_call is not None:
            await self.after_call(name)

    def _fail(self, name: str, *, after: bool) -> None:
        for failure in self._failures:
            if failure.after == after and failure.on in (None, name):
                self._failures.remove(failure)
                raise failure.error


class _Call:
    """One call: the hook and the failures around it. A failure `after` hides the answer of a call that succeeded."""

    def __init__(self, store: FakeControlStore, name: str) -> None:
        self._store = store
        self._name = name

    async def __aenter__(self) -> None:
        await self._store._begin(self._name)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            await self._store._end(self._name)


def _copy(record: PipelineRecord | None) -> PipelineRecord | None:
    """Nobody outside may change what is stored."""
    return None if record is None else replace(record, checkpoints=dict(record.checkpoints))


def _finite(*numbers: float) -> None:
    for number in numbers:
        if not math.isfinite(number):
            raise ValueError(f"DynamoDB has no number {number}")


def _cursor_after(letter_id: str) -> str:
    return base64.urlsafe_b64encode((_CURSOR + letter_id).encode()).decode()


def _id_behind(cursor: str) -> str:
    try:
        item = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"not a cursor: {cursor!r}") from error
    if not item.startswith(_CURSOR):
        raise ValueError(f"not a cursor: {cursor!r}")
    return item.removeprefix(_CURSOR)
