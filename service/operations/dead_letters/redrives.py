"""Starts redrives of dead letters, goes on with one after a restart, cancels and shows them.

Each letter stays until it is written or superseded, so that a redrive that ends early, by a stop or a crash, loses
nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from service.errors import ChangeError, HaltError, TransientChangeError
from service.operations.console import ConflictError, OperationError
from service.operations.dead_letters.redrive import Redrive
from service.operations.documents.jobs import JobState, RedriveFailure, Redriving
from service.operations.jobs.runner import JobRunner, Unfinished
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import DeadLetter
from service.replication.dead_letters import printable
from service.replication.job_flow import JobFlow

Answer = TypeVar("Answer")
LETTERS_AT_ONCE = 32
"""Whole records in memory while they are redriven: each can hold two images of 400 KB."""
REDRIVEN, SUPERSEDED, FAILED = COUNTED = Redriving.counted
FAILURES_TOLD, MAX_ERROR = 100, 200
"""Of so many the job tells the error, in so many characters: it is one item of the control table."""
ANSWERED_WITHIN_SECONDS = 10.0
"""Whoever asks for a redrive waits so long for its counts, and is answered with the running job after that."""


class RedriveRun:
    """`place` holds `ids`, the letters that are left, in order; None: those after `cursor`, failed by `began_at`."""

    def __init__(
        self, pipeline: Pipeline, flow: JobFlow, job: Redriving, place: dict[str, Any], letters: set[str]
    ) -> None:
        """`letters` holds those that are being redriven."""
        adapters = pipeline.outside.adapters
        self.job = job
        self._flow = flow
        self._place = place
        self._counts = Counter({name: getattr(job, name) for name in COUNTED})
        self._failures = list(job.failures)
        self._letters = letters
        self._control = adapters.control
        self._clock = adapters.clock
        self._redrive = Redrive(flow, pipeline.outside)
        self._letter_count = pipeline.letter_count
        self._at_place = self.shown()

    def shown(self) -> Redriving:
        counts = {name: self._counts[name] for name in COUNTED}
        return self.job.model_copy(update={**counts, "failures": list(self._failures)})

    def saved(self) -> tuple[Redriving, dict[str, Any]]:
        """What a killed process has written since its last move is done already, and is not counted by the next one."""
        return self._at_place, self._place

    async def run(self) -> None:
        async for some in self._chosen():
            await self._flow.gate.until_open()
            self._letters.update(some)
            try:
                await self._redrive_some(some)
            finally:
                self._letters.difference_update(some)

    async def _chosen(self) -> AsyncIterator[list[str]]:
        """Oldest first, so that a key's letters are written in order; each once, however long it takes."""
        while (left := self._place["ids"]) is not None:
            if not left:
                return
            yield left[:LETTERS_AT_ONCE]
            self._move(ids=left[LETTERS_AT_ONCE:])
        while True:
            after = self._place["cursor"]
            letters, cursor = await self._asked(partial(self._control.list_dead_letters, LETTERS_AT_ONCE, after))
            # What failed since it began is left out: it would not come to an end while the replica refuses everything.
            yield [letter.id for letter in letters if letter.failed_at <= self._place["began_at"]]
            self._move(cursor=cursor)
            if cursor is None:
                return

    def _move(self, **place: Any) -> None:
        """What is before this place is done."""
        self._place = self._place | place
        self._at_place = self.shown()

    async def _redrive_some(self, ids: Sequence[str]) -> None:
        async with asyncio.TaskGroup() as tasks:
            reading = {letter_id: tasks.create_task(self._read(letter_id)) for letter_id in ids}
        async with asyncio.TaskGroup() as tasks:  # they enter the lanes in the order of their making
            for letter_id, letter in [(letter_id, task.result()) for letter_id, task in reading.items()]:
                if isinstance(letter, DeadLetter):
                    tasks.create_task(self._redrive_one(letter), name=f"redrive {letter_id}")
                elif letter is not None:
                    self._fail(letter_id, letter)

    async def _read(self, letter_id: str) -> DeadLetter | HaltError | None:
        """None if it is gone meanwhile; the error of one that can't be read."""
        try:
            return await self._asked(lambda: self._control.get_dead_letter(letter_id))
        except HaltError as error:
            return error

    async def _redrive_one(self, letter: DeadLetter) -> None:
        """A crash between the write and the letter's end is harmless: the next redrive finds it superseded.

        A letter that got a newer record meanwhile stays.
        """
        try:
            outcome = await self._redrive.write(letter)
        except ChangeError as error:
            self._fail(letter.id, error)
            await self._keep(letter, error)
            return
        self._counts[REDRIVEN if outcome.took_effect else SUPERSEDED] += 1
        await self._asked(lambda: self._control.delete_dead_letter(letter.id, self._clock.now(), letter.version))
        await self._letter_count.refresh()

    def _fail(self, letter_id: str, error: Exception) -> None:
        """It stays a dead letter."""
        self._counts[FAILED] += 1
        if len(self._failures) < FAILURES_TOLD:
            self._failures.append(RedriveFailure(id=letter_id, error=printable(str(error))[:MAX_ERROR]))

    async def _keep(self, letter: DeadLetter, error: ChangeError) -> None:
        attempts = self._flow.requests.max_attempts if isinstance(error, TransientChangeError) else 1
        told = printable(str(error))
        refused = replace(letter, attempts=letter.attempts + attempts, error=told, failed_at=self._clock.now())
        await self._asked(lambda: self._control.note_dead_letter(refused))

    async def _asked(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await self._flow.requests.read(call, "control")


class Redrives(JobRunner[Redriving]):
    """One redrive at a time."""

    kind = "redrive"
    model = Redriving
    failures = (HaltError, OperationError)

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self.letters: set[str] = set()
        """Those that are being redriven."""

    async def start(self, flow: JobFlow, ids: Sequence[str] | None) -> Redriving:
        """The job as it ended; as it runs, if it takes longer than a moment. Whoever asked may go: the work goes on.

        Raises ConflictError while another redrive runs, and when this one fails or is cancelled; UnavailableNowError.
        """

        async def make() -> Unfinished[Redriving]:
            chosen = None if ids is None else sorted(set(ids))
            count = self._pipeline.letter_count.value if chosen is None else len(chosen)
            return self._log.begun(letters=count), {"ids": chosen, "cursor": None, "began_at": self._clock.now()}

        job, under_way = await self._start(flow, make)
        if under_way is None:
            return job
        await asyncio.wait([under_way.over], timeout=ANSWERED_WITHIN_SECONDS)
        if not under_way.over.done() or under_way.over.cancelled():
            return under_way.run.shown()
        ended = under_way.over.result()
        if ended.state is not JobState.DONE:
            raise ConflictError(f"not all was redriven: {ended.error or f'the redrive {ended.id} was cancelled'}")
        return ended

    def _make_run(self, flow: JobFlow, job: Redriving, place: dict[str, Any]) -> RedriveRun:
        return RedriveRun(self._pipeline, flow, job, place, self.letters)

    def _told(self, job: Redriving) -> str:
        return f"{job.redriven} redriven, {job.superseded} superseded, {job.failed} failed"
