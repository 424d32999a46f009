"""The console: everything that may be asked of a pipeline, in one protocol; and the consoles of a process.

The running service implements it, and an admin-only one for a pipeline that Lambda replicates; the API calls it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, Unpack

from service.errors import DynamirrorError, HaltError, LeaseLostError, RetryableError
from service.operations.documents.fleet import LeftOut, Reloaded
from service.operations.documents.jobs import Job, JobKind, Redriving, Replay, ReplayStart, Snapshot, Verification
from service.operations.documents.settings import EffectiveSettings
from service.operations.documents.status import History, Status


class OperationError(DynamirrorError):
    """A request that can't be carried out; the text says why and what to do."""


class NotFoundError(OperationError):
    """There is no such thing."""


class ConflictError(OperationError):
    """Not now: something else is under way, or this process is not the one that can do it."""


class InvalidError(OperationError):
    """The request's values make no sense for this pipeline. `problems`: each thing that is wrong, where it is known."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class TrimmedAlreadyError(OperationError):
    """That history is gone. `oldest` is the oldest sequence number that can still be replayed, if there is one."""

    def __init__(self, message: str, oldest: str | None) -> None:
        super().__init__(message)
        self.oldest = oldest


class UnavailableNowError(OperationError):
    """A table or the control table did not answer; try again."""


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """What the control table refuses an operator, as an answer. Raises ConflictError, UnavailableNowError."""
    try:
        yield
    except RetryableError as error:
        raise UnavailableNowError(f"{error}; try again") from error
    except LeaseLostError as error:
        raise ConflictError(f"this process has lost the lease of the pipeline: {error}") from error
    except HaltError as error:
        raise ConflictError(str(error)) from error


class Reporting(Protocol):
    """How a pipeline is."""

    def status(self) -> Status: ...

    def history(self) -> History: ...

    def not_ready_reason(self) -> str | None:
        """None while the pipeline makes progress or stands by; otherwise why it does not, for a person."""


class Pausing(Protocol):
    """Stops the writes of a pipeline, and lets them go on. Both may be repeated."""

    async def pause(self, by: str) -> None: ...

    async def resume(self) -> None: ...


class Console(Reporting, Protocol):
    """Every call may raise OperationError's kinds."""

    def settings(self) -> EffectiveSettings: ...

    async def pause(self, by: str = "") -> Status:
        """Returns when no write is in flight any more; kept through restarts; may be repeated.

        `by` is kept with it: who asked first.
        """

    async def resume(self) -> Status: ...

    async def replay(self, **start: Unpack[ReplayStart]) -> Replay:
        """Raises InvalidError (422), TrimmedAlreadyError (410), ConflictError (409) while another replay runs."""

    async def jobs(self, kind: JobKind) -> list[Job]:
        """Newest first."""

    async def find_job(self, kind: JobKind, job_id: str) -> Job:
        """Raises NotFoundError."""

    async def cancel_job(self, kind: JobKind, job_id: str) -> Job:
        """Returns the job once nothing of it is under way, and it is never taken up again.

        Raises NotFoundError; ConflictError when it has ended, or the pipeline can't do without it.
        """

    async def replicate(self, keys: dict[str, Any]) -> Literal["written", "deleted", "unchanged"]:
        """Copies one item's present state. Raises InvalidError when `keys` is not a key of the source table."""

    async def snapshot(self) -> Snapshot: ...

    async def verify(self, *, repair: bool = False, sample: float | None = None) -> Verification: ...

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Entries as the contract lists them. Raises InvalidError for a cursor that is none."""

    async def find_dead_letter(self, letter_id: str) -> dict[str, Any]:
        """The entry, with `record`: the whole stream record."""

    async def redrive(self, ids: list[str] | None) -> Redriving:
        """`ids` None means all. The job has ended, or runs still, if it takes longer than a moment.

        Whoever asked may go: the work goes on. Raises ConflictError (409) while another redrive runs.
        """

    async def discard(self, letter_id: str) -> None:
        """Raises NotFoundError."""


class Consoles(Protocol):
    """The pipelines of this process, as the API asks for them."""

    def names(self) -> list[str]:
        """Sorted."""

    def of(self, name: str) -> Console:
        """Raises NotFoundError that tells the names there are."""

    def only(self) -> Console | None:
        """Where the process has exactly one pipeline."""

    def not_ready_reason(self) -> str | None:
        """Of the process, beside its pipelines': it does not know yet which ones there are."""

    def left_out(self) -> list[LeftOut]:
        """Tables that discovery found and that no pipeline replicates."""

    async def reload(self) -> Reloaded:
        """Reads the configuration file again, and changes what is different.

        Raises InvalidError with every problem of the file, and nothing was changed; ConflictError where there is none.
        """
