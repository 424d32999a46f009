"""A console that tells what it was made to tell, remembers what it was asked, and refuses when told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal

from service.operations.console import ConflictError, NotFoundError
from service.operations.documents.jobs import (
    Job,
    JobKind,
    JobState,
    RedriveFailure,
    Redriving,
    Replay,
    Snapshot,
    Verification,
)
from service.operations.documents.settings import EffectiveSettings, Setting
from service.operations.documents.status import (
    History,
    HistoryStep,
    LagStatus,
    PipelineState,
    QueueStatus,
    RatesStatus,
    ReplicaStatus,
    Role,
    ShardState,
    ShardStatus,
    SourceStatus,
    Status,
    TotalsStatus,
)

STARTED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
SECRET = "a value that no log may show"


KINDS: dict[str, type[Job]] = {
    "replay": Replay,
    "snapshot": Snapshot,
    "verification": Verification,
    "redrive": Redriving,
}


class FakeConsole:
    """`refusal` is raised by whatever is asked next, until it is taken away; `asked` is all that was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal: Exception | None = None
        self.reason: str | None = None
        self.state = PipelineState.RUNNING
        self.jobs_begun: dict[str, Any] = {}
        self.letters: dict[str, dict[str, Any]] = {}
        self.warnings: list[str] = []
        self.held: asyncio.Event | None = None
        """While it is set to an event, a pause and a redrive wait for it."""
        self.refused: dict[str, str] = {}
        """Letters that a redrive can't write, with the reason."""
        self.outcome: Literal["written", "deleted", "unchanged"] = "written"

    def _ask(self, name: str, **values: Any) -> None:
        self.asked.append((name, values))
        if self.refusal is not None:
            raise self.refusal

    def add_letter(self, letter_id: str) -> None:
        self.letters[letter_id] = {
            "id": letter_id,
            "shard_id": "shardId-00000001541626099285-f35f62ef",
            "sequence_number": "1100000000017454423009",
            "event_name": "MODIFY",
            "keys": {"key": {"S": "key1"}},
            "error": "The item is over DynamoDB's limit of 400 KB.",
            "attempts": 1,
            "failed_at": NOW,
        }

    def history(self) -> History:
        self._ask("history")
        return History(
            items=[
                HistoryStep(
                    at=NOW,
                    seconds=5.0,
                    state=PipelineState.RUNNING,
                    lag_seconds=None,
                    records_read_per_second=2.0,
                    records_applied_per_second=2.0,
                    latency_mean_seconds=0.2,
                    latency_max_seconds=0.4,
                )
            ]
        )

    def settings(self) -> EffectiveSettings:
        self._ask("settings")
        return EffectiveSettings(items=[Setting(name="writers", value=16, origin="default")])

    def status(self) -> Status:
        self._ask("status")
        return Status(
            pipeline="master-table--replica-table",
            state=self.state,
            reason=self.reason,
            role=Role.ACTIVE,
            source=SourceStatus(
                table="master-table", region="us-west-2", stream_arn="arn:…", stream_view_type="NEW_AND_OLD_IMAGES"
            ),
            replica=ReplicaStatus(table="replica-table", region="us-west-2"),
            lag=LagStatus(seconds=1.5, unapplied_records=3, oldest_unapplied_at=STARTED_AT, caught_up=False),
            queue=QueueStatus(records=3, bytes=900, max_records=10000, max_bytes=67108864),
            shards=[
                ShardStatus(
                    shard_id="shardId-00000001541626099285-f35f62ef",
                    parent_shard_id=None,
                    state=ShardState.READING,
                    checkpoint="000001100000000017454423009",
                    last_read="000001100000000017454423012",
                    lag_seconds=1.5,
                    records_read=12,
                    records_applied=9,
                )
            ],
            totals=TotalsStatus(
                records_read=12,
                records_applied=9,
                items_written=8,
                records_coalesced=1,
                records_skipped=0,
                records_dead_lettered=len(self.letters),
                retries=2,
            ),
            rates=RatesStatus(records_read_per_second=1.2, records_applied_per_second=0.9),
            dead_letters=len(self.letters),
            last_verification=None,
            gaps=[],
            warnings=self.warnings,
            version="0.1.0",
            started_at=STARTED_AT,
            now=NOW,
        )

    def not_ready_reason(self) -> str | None:
        return self.reason

    async def pause(self, by: str = "") -> Status:
        self._ask("pause", by=by)
        if self.held is not None:
            await self.held.wait()
        self.state = PipelineState.PAUSED
        return self.status()

    async def resume(self) -> Status:
        self._ask("resume")
        self.state = PipelineState.RUNNING
        return self.status()

    def _begin(self, job: Any) -> Any:
        self.jobs_begun[job.id] = job
        return job

    def _of(self, kind: str) -> list[Any]:
        return [job for job in reversed(self.jobs_begun.values()) if isinstance(job, KINDS[kind])]

    def _found(self, kind: str, job_id: str) -> Any:
        found = [job for job in self._of(kind) if job.id == job_id]
        if not found:
            raise NotFoundError(f"There is no {kind} {job_id!r}.")
        return found[0]

    def _next_id(self) -> str:
        return f"20261123T101500-{len(self.jobs_begun):04x}"

    async def replay(
        self,
        *,
        sequence_number: str | None = None,
        shard_id: str | None = None,
        from_time: datetime | None = None,
        from_: Literal["trim_horizon"] | None = None,
        dry_run: bool = False,
    ) -> Replay:
        place = {"sequence_number": sequence_number, "shard_id": shard_id, "from_time": from_time, "from_": from_}
        self._ask("replay", **place, dry_run=dry_run)
        begun = Replay(id=self._next_id(), state=JobState.RUNNING, started_at=NOW, dry_run=dry_run, **place)
        return self._begin(begun)  # type: ignore[no-any-return]  # one store for the three kinds

    async def jobs(self, kind: JobKind) -> list[Job]:
        self._ask("jobs", kind=kind)
        return self._of(kind)

    async def find_job(self, kind: JobKind, job_id: str) -> Job:
        self._ask("find_job", kind=kind, job_id=job_id)
        return self._found(kind, job_id)  # type: ignore[no-any-return]  # checked there

    async def cancel_job(self, kind: JobKind, job_id: str) -> Job:
        self._ask("cancel_job", kind=kind, job_id=job_id)
        job = self._found(kind, job_id)
        if job.state is not JobState.RUNNING:
            raise ConflictError(f"{job_id} has ended: it is {job.state}")
        return self._begin(job.model_copy(update={"state": JobState.CANCELLED, "finished_at": NOW}))  # type: ignore[no-any-return]

    async def replicate(self, keys: dict[str, Any]) -> Literal["written", "deleted", "unchanged"]:
        self._ask("replicate", keys=keys)
        return self.outcome

    async def snapshot(self) -> Snapshot:
        self._ask("snapshot")
        begun = Snapshot(id=self._next_id(), state=JobState.RUNNING, started_at=NOW, items_estimated=5)
        return self._begin(begun)  # type: ignore[no-any-return]  # one store for the three kinds

    async def verify(self, *, repair: bool = False, sample: float | None = None) -> Verification:
        self._ask("verify", repair=repair, sample=sample)
        begun = Verification(
            id=self._next_id(), state=JobState.RUNNING, started_at=NOW, repair=repair, sample=sample, missing=1
        )
        return self._begin(begun)  # type: ignore[no-any-return]  # one store for the three kinds

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        self._ask("dead_letters", limit=limit, cursor=cursor)
        ids = sorted(each for each in self.letters if each > (cursor or ""))
        page = ids[:limit]
        return [self.letters[each] for each in page], page[-1] if len(ids) > limit else None

    async def find_dead_letter(self, letter_id: str) -> dict[str, Any]:
        self._ask("find_dead_letter", letter_id=letter_id)
        return {**self._letter(letter_id), "record": {"NewImage": {"value": {"S": SECRET}}}}

    def _letter(self, letter_id: str) -> dict[str, Any]:
        if letter_id not in self.letters:
            raise NotFoundError(f"There is no dead letter {letter_id!r}.")
        return self.letters[letter_id]

    async def redrive(self, ids: list[str] | None) -> Redriving:
        """One that takes long is `held`, and runs."""
        self._ask("redrive", ids=ids)
        chosen = list(self.letters) if ids is None else ids
        failures = [RedriveFailure(id=each, error=self.refused[each]) for each in chosen if each in self.refused]
        for letter_id in chosen:
            if letter_id not in self.refused:
                self.letters.pop(letter_id, None)
        state = JobState.DONE if self.held is None else JobState.RUNNING
        begun = Redriving(
            id=self._next_id(),
            state=state,
            started_at=NOW,
            redriven=len(chosen) - len(failures),
            failed=len(failures),
            failures=failures,
        )
        return self._begin(begun)  # type: ignore[no-any-return]  # one store for every kind

    async def discard(self, letter_id: str) -> None:
        self._ask("discard", letter_id=letter_id)
        self._letter(letter_id)
        del self.letters[letter_id]
