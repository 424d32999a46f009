"""A verification by a process of its own, beside a running service or without one.

It only looks, unless nobody replicates: then it may repair, as the pipeline's owner for that while. It can't see what
the stream brings, so a difference counts if it stands for a whole settle time while the source's item stays the same.
Beside a running service, repairs are that service's (POST /verify): two writers would break I5.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from service.configuration.settings import Settings
from service.errors import ChangeError
from service.events import Observer, Observers
from service.model import ItemKey, TableDescription
from service.operations.documents.jobs import JobState, Verification
from service.operations.verification.comparison import Comparison
from service.operations.verification.exclusive_lease import SoleOwner
from service.operations.verification.observer import ObservedChanges
from service.operations.verification.run import VerificationRun
from service.ports import Adapters
from service.replication.claim import claim_replica
from service.replication.doubts import Doubts
from service.replication.guard_window import GuardWindow
from service.replication.lease import LeaseHolder
from service.replication.requests.retrying import ReplicaFitness, Requests
from service.replication.requests.write_gate import WriteLimiter
from service.replication.writing.fingerprint import shape_fingerprint
from service.replication.writing.guard import Guard
from service.replication.writing.write_path import metadata_of, shape_of

Answer = TypeVar("Answer")

SETTLE_SECONDS = 30.0
LOOK_EARLY_SECONDS = 1.0
"""Most of what differs is on its way, and there a second later."""


async def verify_standalone(
    adapters: Adapters,
    settings: Settings,
    source: TableDescription,
    *,
    repair: bool = False,
    sample: float | None = None,
    settle_seconds: float = SETTLE_SECONDS,
    owner: str = "",
    observer: Observer | None = None,
    on_progress: Callable[[Verification], None] = lambda job: None,
) -> Verification:
    """Compare both tables, to the end; returns the finished job, which is stored nowhere.

    `repair` needs the pipeline for itself: `owner` names this process in the lease. `on_progress` is called about once
    a second. Raises ConflictError when another process replicates, or the pipeline is paused; LeaseLostError when the
    pipeline is lost meanwhile; HaltError. Retries transient errors indefinitely.
    """
    standalone = Standalone(adapters, settings, source, owner, observer or Observers())
    # With the lease in hand nothing is on its way: what differs, differs.
    run = standalone.prepare(repair=repair, sample=sample, settle_seconds=0.0 if repair else settle_seconds)

    async def report() -> None:
        on_progress(run.shown())

    async def work() -> Verification:
        return await run.run(report)

    ended = await (standalone.sole_owner.own(work, mends_all=sample is None) if repair else work())
    on_progress(ended)
    return ended


class Standalone:
    """The parts of the flow that one verification needs."""

    def __init__(
        self, adapters: Adapters, settings: Settings, source: TableDescription, owner: str, observer: Observer
    ) -> None:
        self._adapters = adapters
        self._settings = settings
        self._source = source
        clock = adapters.clock
        self._metadata = metadata_of(settings, source, observer)
        holder = LeaseHolder(
            store=adapters.control,
            owner=owner or f"verify-{secrets.token_hex(4)}",
            lease_seconds=settings.lease_seconds,
            clock=clock,
            observer=observer,
        )
        gate = WriteLimiter(
            clock,
            writers=settings.writers,
            max_per_second=settings.max_writes_per_second,
            check_trust=holder.check_trust,
        )
        doubts = Doubts(clock, lease_seconds=settings.lease_seconds)
        self._requests = Requests(
            clock=clock,
            gate=gate,
            observer=observer,
            max_attempts=settings.max_attempts,
            fitness=ReplicaFitness(adapters.replica, source.keys, clock, self._metadata.note),
            doubts=doubts,
        )
        self._shape = shape_of(settings, source, adapters, observer, self._metadata)
        self._guard = Guard(
            source=adapters.source,
            replica=adapters.replica,
            shape=self._shape,
            window=GuardWindow(guards_all=True),
            requests=self._requests,
            doubts=doubts,
            clock=clock,
            observer=observer,
            is_archive=settings.skip_ttl_deletes,
        )
        self.sole_owner = SoleOwner(
            control=adapters.control,
            schema=adapters.schema,
            holder=holder,
            requests=self._requests,
            clock=clock,
            lease_seconds=settings.lease_seconds,
            fingerprint=shape_fingerprint(settings),
            claim=self._claim,
        )

    async def _claim(self) -> None:
        replica = await self._requests.read(self._adapters.replica.describe, "replica")
        self._metadata.note(replica)
        await self._requests.read(lambda: claim_replica(self._adapters, self._source, replica), "control")

    def prepare(self, *, repair: bool, sample: float | None, settle_seconds: float) -> VerificationRun:
        now = datetime.fromtimestamp(self._adapters.clock.now(), UTC)
        keeps_extra = self._settings.skip_ttl_deletes
        job = Verification(
            id=f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}",
            state=JobState.RUNNING,
            started_at=now,
            repair=repair,
            sample=sample,
            items_estimated=self._source.item_count * (1 if keeps_extra else 2),
        )
        return VerificationRun(
            job=job,
            place={},
            adapters=self._adapters,
            looks=PollingObserver(self._adapters, self._requests, self._guard, settle_seconds),
            comparison=Comparison(self._shape, keeps_extra=keeps_extra),
        )


class PollingObserver:
    """From outside of the flow: what was seen long enough ago counts as settled."""

    early_look_seconds = LOOK_EARLY_SECONDS

    def __init__(self, adapters: Adapters, requests: Requests, guard: Guard, settle_seconds: float) -> None:
        self._clock = adapters.clock
        self._requests = requests
        self._guard = guard
        self._settle_seconds = settle_seconds

    @property
    def settled_up_to(self) -> float:
        return self._clock.now() - self._settle_seconds

    def watch(self, keys: Sequence[ItemKey]) -> None:
        """Nothing tells what the stream brings."""

    def forget(self, key: ItemKey) -> None: ...

    def brought(self, key: ItemKey) -> ObservedChanges:
        return ObservedChanges()

    async def read(self, call: Callable[[], Awaitable[Answer]], target: str) -> Answer:
        return await self._requests.read(call, target)

    async def mend(self, key: ItemKey) -> bool:
        """A key has one suspicion at a time, so that nothing else of ours touches it meanwhile."""
        try:
            await self._guard.refresh(key)
        except ChangeError:
            return False
        return True
