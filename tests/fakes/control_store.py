"""The control table in memory, with the semantics of the real one and places where a test can make it fail.

table = FakeControlTable()
store, other_process = FakeControlStore(table), FakeControlStore(table)
store.fail_next(ThrottledError("slow down"), on="save_progress")      # nothing happens, it raises
store.fail_next(AmbiguousError("reset"), on="save_progress", after=True)  # it happens, and raises
store.before_call = gate       # async (name) -> None, awaited before every call; may wait or raise
table.writes                   # what changed the table, in order: ("save_progress", record) …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from service.errors import LeaseLostError
from service.model import TableDescription
from service.pipeline_state import Gap, JobSlot, Lease, LeaseRecord, PipelineRecord, ReplicaClaim
from tests.fakes.control_letters import FakeLetters
from tests.fakes.control_table import check_finite


class FakeControlStore(FakeLetters):
    """service.ports.ControlStore as one process sees it. Every call gives other tasks their turn first."""

    async def read_lease(self) -> LeaseRecord | None:
        async with self.call("read_lease"):
            return None if self.items.lease is None else self._with_pause(self.items.lease)

    async def acquire_lease(
        self, owner: str, seen: LeaseRecord | None, lease_seconds: float, now: float
    ) -> LeaseRecord:
        async with self.call("acquire_lease"):
            check_finite(lease_seconds, now)
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
            taken = LeaseRecord(owner, generation, now, lease_seconds, renewals, behind_since=known, asks=asks)
            self.items.lease = replace(taken, taken_at=now, taken_generation=generation)
            return self.wrote("acquire_lease", self._with_pause(self.items.lease))

    async def renew_lease(self, lease: Lease, now: float, behind_since: float | None = None) -> LeaseRecord:
        async with self.call("renew_lease"):
            check_finite(now)
            held = self._mine(lease)
            if held.is_released:
                raise LeaseLostError("the lease was released")
            known = held.behind_since if behind_since is None else behind_since
            self.items.lease = replace(held, renewed_at=now, renewals=held.renewals + 1, behind_since=known)
            return self.wrote("renew_lease", self._with_pause(self.items.lease))

    async def release_lease(
        self, lease: Lease, is_clean: bool, now: float, behind_since: float | None = None, reserved_for: str = ""
    ) -> None:
        async with self.call("release_lease"):
            check_finite(now)
            held = self._mine(lease)
            known = held.behind_since if behind_since is None else behind_since
            released = replace(held, renewed_at=now, is_released=True, is_clean=is_clean, behind_since=known)
            self.items.lease = replace(released, reserved_for=reserved_for)
            self.wrote("release_lease", self.items.lease)

    async def ask_for_lease(self, asker: str, seen: LeaseRecord) -> None:
        async with self.call("ask_for_lease"):
            held = self._mine(Lease(seen.owner, seen.generation))
            if held.is_released:
                raise LeaseLostError("the lease was released")
            self.items.lease = self.wrote("ask_for_lease", replace(held, wanted_by=asker, asks=held.asks + 1))

    async def set_paused(self, is_paused: bool, now: float | None = None, by: str = "") -> tuple[float, str]:
        async with self.call("set_paused"):
            if not (is_paused and self.items.is_paused and self.items.paused_since):
                self.items.paused_since = (now or 0.0) if is_paused else 0.0
                self.items.paused_by = by if is_paused else ""
            self.items.is_paused = self.wrote("set_paused", is_paused)
            return self.items.paused_since, self.items.paused_by

    async def adopt_progress(self, lease: Lease) -> PipelineRecord | None:
        async with self.call("adopt_progress"):
            if (self.items.progress_generation or 0) > lease.generation:
                raise LeaseLostError("a later owner has adopted the progress")
            self.items.progress_generation = self.wrote("adopt_progress", lease.generation)
            return _copy(self.items.progress)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        async with self.call("save_progress"):
            check_finite(record.guarded_until)
            if self.items.progress_generation != lease.generation:
                raise LeaseLostError("a later owner has adopted the progress")
            self.items.progress = self.wrote("save_progress", _copy(record))

    async def read_progress(self) -> PipelineRecord | None:
        async with self.call("read_progress"):
            return _copy(self.items.progress)

    async def read_gaps(self) -> tuple[Gap, ...]:
        async with self.call("read_gaps"):
            return () if self.items.progress is None else self.items.progress.gaps

    async def put_job(self, kind: str, job_id: str, document: Mapping[str, Any]) -> None:
        async with self.call("put_job"):
            self.items.jobs[kind, job_id] = orjson.dumps(document)
            self.wrote("put_job", (kind, job_id, orjson.loads(self.items.jobs[kind, job_id])))

    async def get_job(self, kind: str, job_id: str) -> dict[str, Any] | None:
        async with self.call("get_job"):
            found = self.items.jobs.get((kind, job_id))
            return None if found is None else orjson.loads(found)

    async def list_jobs(self, kind: str, limit: int) -> list[dict[str, Any]]:
        async with self.call("list_jobs"):
            newest_first = sorted((key for key in self.items.jobs if key[0] == kind), reverse=True)
            return [orjson.loads(self.items.jobs[key]) for key in newest_first[:limit]]

    async def read_slot(self, kind: str) -> JobSlot | None:
        async with self.call("read_slot"):
            return self.items.slots.get(kind)

    async def adopt_slot(self, kind: str, generation: int) -> JobSlot:
        async with self.call("adopt_slot"):
            slot = replace(self._slot(kind, generation), generation=generation)
            self.items.slots[kind] = self.wrote("adopt_slot", slot)
            return slot

    async def begin_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> str | None:
        async with self.call("begin_job"):
            held = self.items.slots.get(kind)
            if held is not None and held.job_id is not None:
                return held.job_id
            self._slot(kind, generation)
            slot = JobSlot(generation, job_id, orjson.loads(orjson.dumps(document)))
            self.items.slots[kind] = self.wrote("begin_job", slot)
            return None

    async def save_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        async with self.call("save_job"):
            held = self.items.slots.get(kind)
            if held is None or (held.job_id, held.generation) != (job_id, generation):
                raise LeaseLostError("the slot has another owner or another job")
            slot = replace(held, document=orjson.loads(orjson.dumps(document)))
            self.items.slots[kind] = self.wrote("save_job", slot)

    async def file_job(self, kind: str, job_id: str, generation: int, document: Mapping[str, Any]) -> None:
        async with self.call("file_job"):
            self.items.jobs[kind, job_id] = orjson.dumps(document)
            held = self.items.slots.get(kind)
            if held is None or held.generation != generation or held.job_id not in (job_id, None):
                raise LeaseLostError("the slot has another owner or another job")
            self.items.slots[kind] = self.wrote("file_job", JobSlot(generation))

    def _slot(self, kind: str, generation: int) -> JobSlot:
        held = self.items.slots.get(kind) or JobSlot(generation)
        if held.generation > generation:
            raise LeaseLostError("a later owner has the slot")
        return held

    async def put_fixed(self, kind: str, job_id: str, content: bytes) -> None:
        async with self.call("put_fixed"):
            self.items.fixed[kind, job_id] = self.wrote("put_fixed", content)

    async def get_fixed(self, kind: str, job_id: str) -> bytes | None:
        async with self.call("get_fixed"):
            return self.items.fixed.get((kind, job_id))

    async def forget_fixed_before(self, kind: str, job_id: str) -> None:
        async with self.call("forget_fixed_before"):
            for key in [key for key in self.items.fixed if key[0] == kind and key[1] < job_id]:
                self.wrote("forget_fixed_before", self.items.fixed.pop(key))

    async def claim_replica(
        self, replica: TableDescription, source: TableDescription, now: float
    ) -> ReplicaClaim | None:
        async with self.call("claim_replica"):
            check_finite(now)
            held = self.table.claims.get(replica.arn)
            if held is not None and held.claimed_by != self.pipeline:
                ids = (held.replica_id, replica.table_id)
                if "" in ids or ids[0] == ids[1]:
                    return held
            claim = ReplicaClaim(self.pipeline, source.arn, replica.table_id, now)
            self.table.claims[replica.arn] = self.wrote("claim_replica", claim)
            return None

    async def read_claim(self, replica: TableDescription) -> ReplicaClaim | None:
        async with self.call("read_claim"):
            held = self.table.claims.get(replica.arn)
            return held if held is not None and held.claimed_by == self.pipeline else None

    def _with_pause(self, held: LeaseRecord) -> LeaseRecord:
        paused = {"paused_since": self.items.paused_since, "paused_by": self.items.paused_by}
        return replace(held, is_paused=self.items.is_paused, **paused)

    def _mine(self, lease: Lease) -> LeaseRecord:
        held = self.items.lease
        if held is None or (held.owner, held.generation) != (lease.owner, lease.generation):
            raise LeaseLostError("the lease belongs to another owner")
        return held


def _copy(record: PipelineRecord | None) -> PipelineRecord | None:
    """Nobody outside may change what is stored."""
    return None if record is None else replace(record, checkpoints=dict(record.checkpoints))
