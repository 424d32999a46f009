"""A verification that only looks, by a process of its own: beside a running service or without one.

It can't see what the stream brings, so a difference counts if it stands for a whole settle time while the source's item
stays the same. It writes nothing, and needs no lease.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from service.configuration.settings import Settings
from service.events import Observer
from service.model import ItemKey, TableDescription
from service.operations.documents.jobs import JobState, Verification
from service.operations.documents.utc_time import moment
from service.operations.job_store import new_job_id
from service.operations.verification.comparison import Comparison
from service.operations.verification.observer import ObservedChanges
from service.operations.verification.run import VerificationRun
from service.ports import Adapters, Clock
from service.replication.requests.backoff import until_answered
from service.replication.writing.write_path import metadata_of, shape_of

Answer = TypeVar("Answer")

REPORT_EVERY_SECONDS = 1.0
SETTLE_SECONDS = 30.0
LOOK_EARLY_SECONDS = 1.0
"""Most of what differs is on its way, and there a second later."""


async def look(
    adapters: Adapters,
    settings: Settings,
    source: TableDescription,
    observer: Observer,
    on_progress: Callable[[Verification], None],
    *,
    sample: float | None = None,
    settle_seconds: float = SETTLE_SECONDS,
) -> Verification:
    """Compare both tables, to the end; returns the finished job, which is stored nowhere.

    `on_progress` is called about once a second. Raises HaltError. Retries transient errors indefinitely.
    """
    clock = adapters.clock
    keeps_extra = settings.skip_ttl_deletes
    job = Verification(
        id=new_job_id(clock),
        state=JobState.RUNNING,
        started_at=moment(clock.now()),
        sample=sample,
        items_estimated=source.item_count * (1 if keeps_extra else 2),
    )
    shape = shape_of(settings, source, adapters, observer, metadata_of(settings, source, observer))
    run = VerificationRun(
        job=job,
        place={},
        adapters=adapters,
        looks=PollingObserver(clock, observer, settle_seconds),
        comparison=Comparison(shape, keeps_extra=keeps_extra),
    )

    async def report() -> None:
        while True:
            await clock.sleep(REPORT_EVERY_SECONDS)
            on_progress(run.shown())

    await run.run(report)
    ended = run.shown().model_copy(update={"state": JobState.DONE, "finished_at": moment(clock.now())})
    on_progress(ended)
    return ended


class PollingObserver:
    """From outside of the flow: what was seen long enough ago counts as settled."""

    early_look_seconds = LOOK_EARLY_SECONDS

    def __init__(self, clock: Clock, observer: Observer, settle_seconds: float) -> None:
        self._clock = clock
        self._observer = observer
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
        return await until_answered(call, self._clock, self._observer, target)

    async def mend(self, key: ItemKey) -> bool:
        return False
