"""Keeps the documents of long jobs in the control table, so that they outlive the process.

A document is what the API shows, and `place`, from where the job goes on after a restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from service.errors import RetryableError
from service.operations.console import NotFoundError, UnavailableNowError
from service.operations.jobs import Job, JobState
from service.ports import Clock, JobStore

AJob = TypeVar("AJob", bound=Job)
SHOWN = 100
"""Jobs in a list, the newest first."""


def new_job_id(clock: Clock) -> str:
    """Sorts by the moment of its making."""
    return f"{datetime.fromtimestamp(clock.now(), UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"


class JobLog(Generic[AJob]):
    """One kind of job. Raises UnavailableNowError when the control table does not answer."""

    def __init__(self, kind: str, model: type[AJob], store: JobStore, clock: Clock) -> None:
        self.kind = kind
        self._model = model
        self._store = store
        self._clock = clock

    def new_id(self) -> str:
        """Sorts by the moment of its making."""
        return new_job_id(self._clock)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    async def save(self, job: AJob, place: Mapping[str, Any]) -> None:
        """Raises RetryableError: losing one save costs repeated work, no more."""
        document = job.model_dump(mode="json", by_alias=True)
        await self._store.put_job(self.kind, job.id, {"document": document, "place": dict(place)})

    async def found(self, job_id: str) -> AJob:
        try:
            stored = await self._store.get_job(self.kind, job_id)
        except RetryableError as error:
            raise UnavailableNowError(str(error)) from error
        if stored is None:
            raise NotFoundError(f"there is no {self.kind} {job_id!r}")
        return self._model.model_validate(stored["document"])

    async def newest(self) -> list[AJob]:
        try:
            stored = await self._store.list_jobs(self.kind, SHOWN)
        except RetryableError as error:
            raise UnavailableNowError(str(error)) from error
        return [self._model.model_validate(entry["document"]) for entry in stored]

    async def stored(self, job_id: str) -> tuple[AJob, dict[str, Any]] | None:
        """A job with its place. Raises RetryableError."""
        entry = await self._store.get_job(self.kind, job_id)
        return None if entry is None else (self._model.model_validate(entry["document"]), entry["place"])

    async def end_others(self, job_id: str, error: str) -> None:
        """Every job that still runs, but this one, ends as failed. May be repeated. Raises RetryableError."""
        for entry in await self._store.list_jobs(self.kind, SHOWN):
            job = self._model.model_validate(entry["document"])
            if job.state is JobState.RUNNING and job.id != job_id:
                ended = {"state": JobState.FAILED, "finished_at": self.now(), "error": error}
                await self.save(job.model_copy(update=ended), entry["place"])

    async def unfinished(self) -> tuple[AJob, dict[str, Any]] | None:
        """The newest job, with its place, if it still runs: a restart goes on with it."""
        for entry in await self._store.list_jobs(self.kind, 1):
            job = self._model.model_validate(entry["document"])
            if job.state is JobState.RUNNING:
                return job, entry["place"]
        return None
