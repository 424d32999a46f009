"""A verification inside the running service: it sees what the stream brings, and mends at each key's turn."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from service.errors import ChangeError
from service.model import Change, Effect, ItemKey
from service.operations.documents.jobs import Verification
from service.operations.jobs.scan_turns import ScanTurns
from service.operations.pipeline.pipeline import Pipeline
from service.operations.pipeline.reshaping import SHAPE, note_reshaped, resumed
from service.operations.verification.comparison import Comparison
from service.operations.verification.observer import ObservedChanges
from service.operations.verification.run import VerificationRun
from service.replication.job_flow import JobFlow

Answer = TypeVar("Answer")

LOOK_FOR_SNAPSHOT_EVERY_SECONDS = 1.0
STREAM_BEHIND_SECONDS = 5.0
"""A change is taken to be in the stream so long after it was made, by whichever clock. DynamoDB calls that "near real
time" (Developer Guide, "Change data capture for DynamoDB Streams"), and gives no number."""


class VerificationBesideFlow:
    """One verification's work in one tenure of the lease; without `items_per_second` in turns with other scans."""

    def __init__(
        self, pipeline: Pipeline, flow: JobFlow, job: Verification, place: dict[str, Any], items_per_second: float = 0.0
    ) -> None:
        self.job = job
        self._pipeline = pipeline
        self._flow = flow
        adapters = pipeline.outside.adapters
        self._clock = adapters.clock
        self._turns = None if items_per_second else ScanTurns(pipeline.allowance.scans, adapters.clock)
        comparison = Comparison(flow.guard.shape, keeps_extra=pipeline.settings.skip_ttl_deletes)
        self._looks = FlowLooks(flow, comparison)
        self._run = VerificationRun(
            job=job,
            place=resumed(place, pipeline.settings),
            adapters=adapters,
            looks=self._looks,
            comparison=comparison,
            items_per_second=items_per_second,
            until_turn=self._turns.wait if self._turns else None,
        )
        self.shown = self._run.shown
        self.saved = self._run.saved

    async def run(self, beside: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """To the end, as `VerificationRun.run`. Before a snapshot's end, the replica is not supposed to be equal."""
        with self._looks:
            while self._pipeline.is_snapshotting:
                await self._clock.sleep(LOOK_FOR_SNAPSHOT_EVERY_SECONDS)
            async with self._turns.taken() if self._turns else contextlib.nullcontext():
                await self._run.run(beside)
        found, place = self.saved()
        if found.repair or found.is_equal:
            await note_reshaped(self._flow, place[SHAPE], self._pipeline.observer)


class FlowLooks:
    """Implements StreamObserver. A context: the stream is watched while it is entered."""

    early_look_seconds = float("inf")

    def __init__(self, flow: JobFlow, comparison: Comparison) -> None:
        self._flow = flow
        self._comparison = comparison
        self._brought: dict[ItemKey, ObservedChanges] = {}

    def __enter__(self) -> FlowLooks:
        self._flow.lanes.watchers.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._flow.lanes.watchers.remove(self._note)

    def _note(self, changes: Sequence[Change]) -> None:
        brought = self._brought
        if not brought:
            return
        for change in changes:
            if change.key in brought:
                is_known = change.image is not None or change.effect is Effect.DELETE
                mark = self._comparison.mark_of(change.image) if is_known else None
                brought[change.key] = ObservedChanges(brought[change.key].changes + 1, mark)

    @property
    def settled_up_to(self) -> float:
        return self._flow.settled_up_to - STREAM_BEHIND_SECONDS

    def watch(self, keys: Sequence[ItemKey]) -> None:
        self._brought.update(dict.fromkeys(keys, ObservedChanges()))

    def forget(self, key: ItemKey) -> None:
        del self._brought[key]

    def brought(self, key: ItemKey) -> ObservedChanges:
        return self._brought[key]

    async def read(self, call: Callable[[], Awaitable[Answer]], target: str) -> Answer:
        """Not in a pause: then neither table is read on."""

        async def when_open() -> Answer:
            await self._flow.gate.until_open()
            return await call()

        return await self._flow.requests.read(when_open, target)

    async def mend(self, key: ItemKey) -> bool:
        """At the key's turn in its lane."""
        try:
            await self._flow.lanes.run(key, lambda: self._flow.guard.refresh_beside(key))
        except ChangeError:
            return False
        return True
