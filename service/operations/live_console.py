"""The console of the running service: what the admin API asks of a pipeline, carried out beside the flow."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from service.operations.console import ConflictError, Pausing, Reporting, UnavailableNowError
from service.operations.dead_letters.dead_letters import Letters
from service.operations.documents.jobs import (
    Job,
    JobKind,
    JobState,
    Redriving,
    Replay,
    ReplayStart,
    Snapshot,
    Verification,
)
from service.operations.documents.settings import EffectiveSettings
from service.operations.documents.status import History, Status
from service.operations.jobs.runner import JobRunner
from service.operations.pipeline.ownership import flow_of, not_here
from service.operations.pipeline.pipeline import Pipeline
from service.operations.refresh_item import key_from, replicate_item
from service.operations.replay.replays import Replays
from service.operations.snapshot.snapshots import Snapshots
from service.operations.verification.verifications import Verifications

CALLS = {"replay": "replay", "snapshot": "snapshot", "verification": "verify", "redrive": "redrive"}
"""What begins a job of each kind, as the status names it."""


@dataclass(frozen=True, kw_only=True)
class LiveConsole:
    """Implements console.Console for a `Pipeline` in the same event loop."""

    pipeline: Pipeline
    report: Reporting
    pausing: Pausing
    letters: Letters
    snapshots: Snapshots
    verifications: Verifications
    replays: Replays
    no_replay: str | None = None
    """Why none can be begun, with what to do instead."""

    @property
    def _runners(self) -> dict[str, JobRunner[Any]]:
        runners: list[JobRunner[Any]] = [self.replays, self.snapshots, self.verifications, self.letters.redrives]
        return {runner.kind: runner for runner in runners}

    def status(self) -> Status:
        return self.report.status().model_copy(update={"refused": self._refused()})

    def _refused(self) -> dict[str, str]:
        refusals = {CALLS[kind]: runner.refusal() for kind, runner in self._runners.items()}
        found = {call: reason for call, reason in refusals.items() if reason is not None}
        return found if self.no_replay is None else found | {"replay": self.no_replay}

    def history(self) -> History:
        return self.report.history()

    def settings(self) -> EffectiveSettings:
        return EffectiveSettings.of(self.pipeline.settings)

    def not_ready_reason(self) -> str | None:
        return self.report.not_ready_reason()

    async def pause(self, by: str = "") -> Status:
        await self.pausing.pause(by)
        return self.status()

    async def resume(self) -> Status:
        await self.pausing.resume()
        return self.status()

    async def _refuse_elsewhere(self, runner: JobRunner[Any]) -> None:
        """Raises ConflictError where another process has the pipeline: names it, and the job that it runs."""
        if self.pipeline.holder.lease is not None:
            return
        with contextlib.suppress(UnavailableNowError):
            for job in await runner.newest():
                if job.state is JobState.RUNNING:
                    raise ConflictError(f"the {runner.kind} {job.id} runs already; {not_here(self.pipeline)}")
        raise ConflictError(not_here(self.pipeline))

    async def replay(self, **start: Unpack[ReplayStart]) -> Replay:
        if self.no_replay is not None:
            raise ConflictError(self.no_replay)
        await self._refuse_elsewhere(self.replays)
        return await self.replays.start(flow_of(self.pipeline), **start)

    async def jobs(self, kind: JobKind) -> list[Job]:
        return await self._runners[kind].newest()

    async def find_job(self, kind: JobKind, job_id: str) -> Job:
        found: Job = await self._runners[kind].found(job_id)
        return found

    async def cancel_job(self, kind: JobKind, job_id: str) -> Job:
        cancelled: Job = await self._runners[kind].cancel(job_id)
        return cancelled

    async def replicate(self, keys: dict[str, Any]) -> Literal["written", "deleted", "unchanged"]:
        flow = flow_of(self.pipeline)
        key = key_from(keys, self.pipeline.outside.source)
        if self.pipeline.is_paused:
            raise ConflictError("the pipeline is paused, and writes nothing: resume it, then copy the item")
        return await replicate_item(flow, key)

    async def snapshot(self) -> Snapshot:
        await self._refuse_elsewhere(self.snapshots)
        return await self.snapshots.start()

    async def verify(self, *, repair: bool = False, sample: float | None = None) -> Verification:
        await self._refuse_elsewhere(self.verifications)
        return await self.verifications.start(flow_of(self.pipeline), repair=repair, sample=sample)

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        return await self.letters.page(limit, cursor)

    async def find_dead_letter(self, letter_id: str) -> dict[str, Any]:
        return await self.letters.found(letter_id)

    async def redrive(self, ids: list[str] | None) -> Redriving:
        await self._refuse_elsewhere(self.letters.redrives)
        return await self.letters.redrive(flow_of(self.pipeline), ids)

    async def discard(self, letter_id: str) -> None:
        await self.letters.discard(letter_id)
