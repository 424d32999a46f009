"""Keeps the documents of long jobs in the control table, so that they outlive the process.

The one job of a kind that is under way has a slot there: it exists, goes on and ends by one conditional write each,
which only the owner of the pipeline's lease can make. An ended job is filed by its id. A document is what the API
shows, and `place`, from where the job goes on after a restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from service.operations.console import NotFoundError, answering
from service.operations.documents.jobs import Job, JobState
from service.operations.documents.utc_time import moment
from service.ports import Clock, JobStore

AJob = TypeVar("AJob", bound=Job)
_OF_THE_MOMENT = {"per_second", "seconds_left", "needed"}
SHOWN = 100
"""Jobs in a list, the newest first."""
OLDER = 1000
"""Jobs of an earlier version that are looked through, once for each pipeline."""
SURPLUS = "another job of its kind was under way at the same time, and only one can be: this one was not carried on"


def new_job_id(clock: Clock) -> str:
    """Sorts by the moment of its making."""
    return f"{moment(clock.now()):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


class JobDocuments(Generic[AJob]):
    """One kind of job. `generation` is that of the caller's lease."""

    def __init__(self, kind: str, model: type[AJob], store: JobStore, clock: Clock) -> None:
        self.kind = kind
        self._model = model
        self._store = store
        self._clock = clock

    def begun(self, **fields: Any) -> AJob:
        """A new job that runs from now on."""
        return self._model(
            **{"id": new_job_id(self._clock), "state": JobState.RUNNING, "started_at": self.now()} | fields
        )

    def now(self) -> datetime:
        return moment(self._clock.now())

    async def begin(self, job: AJob, place: Mapping[str, Any], generation: int) -> str | None:
        """None: the job exists from now on; else the id of the one that is unfinished. May be repeated.

        Raises LeaseLostError; RetryableError, after which it may exist all the same.
        """
        running = await self._store.begin_job(self.kind, job.id, generation, _stored(job, place))
        return None if running == job.id else running

    async def save(self, job: AJob, place: Mapping[str, Any], generation: int) -> None:
        """Raises LeaseLostError; RetryableError: losing one save costs repeated work, no more."""
        await self._store.save_job(self.kind, job.id, generation, _stored(job, place))

    async def end(self, job: AJob, place: Mapping[str, Any], generation: int) -> None:
        """It has ended as the job says, from the first write on; then it is filed. May be repeated.

        A crash between the two leaves the filing to the next owner. Raises LeaseLostError, RetryableError.
        """
        document = _stored(job, place)
        slot = await self._store.read_slot(self.kind)
        if slot is not None and slot.job_id == job.id:  # else an earlier try has filed it, and its answer was lost
            await self._store.save_job(self.kind, job.id, generation, document)
        await self._store.file_job(self.kind, job.id, generation, document)

    async def adopt(self, generation: int, preferred_id: str | None = None) -> tuple[AJob, dict[str, Any]] | None:
        """Fence former owners off; returns the job that they left unfinished, with its place. May be repeated.

        What an earlier version left running without a slot ends as failed, but one job, `preferred_id` or else the
        newest: that one is unfinished from now on. Raises LeaseLostError, RetryableError.
        """
        if await self._store.read_slot(self.kind) is None:
            await self._adopt_older(generation, preferred_id)
        slot = await self._store.adopt_slot(self.kind, generation)
        if slot.job_id is None:
            return None
        job, place = self._understood(slot.document), slot.document["place"]
        if job.state is JobState.RUNNING:
            return job, place
        await self._store.file_job(self.kind, job.id, generation, slot.document)
        return None

    async def _adopt_older(self, generation: int, preferred_id: str | None) -> None:
        entries = await self._store.list_jobs(self.kind, OLDER)
        jobs = [(self._understood(entry), entry["place"]) for entry in entries]
        running = [(job, place) for job, place in jobs if job.state is JobState.RUNNING]
        running.sort(key=lambda each: each[0].id != preferred_id)  # stable: the newest first among the others
        for job, place in running[1:]:
            ended = self.ended(job, JobState.FAILED, SURPLUS)
            await self._store.put_job(self.kind, job.id, _stored(ended, place))
        for job, place in running[:1]:
            await self._store.begin_job(self.kind, job.id, generation, _stored(job, place))

    def ended(self, job: AJob, state: JobState, error: str | None = None) -> AJob:
        """As it ends now."""
        return job.model_copy(update={"state": state, "error": error, "finished_at": self.now()})

    async def filed(self, job_id: str) -> AJob | None:
        """One that has ended. Raises RetryableError."""
        entry = await self._store.get_job(self.kind, job_id)
        return None if entry is None else self._understood(entry)

    async def found(self, job_id: str) -> AJob:
        """Raises NotFoundError, UnavailableNowError."""
        with answering():
            shown = await self._in_slot()
            if shown is None or shown.id != job_id:  # in this order: filed before the slot is empty
                shown = await self.filed(job_id)
        if shown is None:
            raise NotFoundError(f"there is no {self.kind} {job_id!r}")
        return shown

    async def newest(self) -> list[AJob]:
        """Raises UnavailableNowError."""
        with answering():
            in_slot = await self._in_slot()
            filed = [self._understood(entry) for entry in await self._store.list_jobs(self.kind, SHOWN)]
        if in_slot is None:
            return filed
        others = [job for job in filed if job.id != in_slot.id]
        return sorted([in_slot, *others], key=lambda job: job.id, reverse=True)[:SHOWN]

    async def _in_slot(self) -> AJob | None:
        slot = await self._store.read_slot(self.kind)
        return None if slot is None or slot.job_id is None else self._understood(slot.document)

    def _understood(self, entry: Mapping[str, Any]) -> AJob:
        return self._model.model_validate(entry["document"])


def _stored(job: Job, place: Mapping[str, Any]) -> dict[str, Any]:
    return {"document": job.model_dump(mode="json", by_alias=True, exclude=_OF_THE_MOMENT), "place": dict(place)}
