"""The dead letters, as an operator sees them: listed, shown, written again, or discarded."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from service.errors import ChangeError, HaltError, TransientChangeError
from service.operations.console import ConflictError, InvalidError, NotFoundError, answering
from service.operations.dead_letters.redrive import Redrive
from service.operations.dead_letters.redrives import REDRIVEN, SUPERSEDED, RedriveRun, Redrives
from service.operations.documents.jobs import Redriving
from service.operations.documents.utc_time import moment
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import DeadLetter
from service.replication.job_flow import JobFlow

LETTERS_AT_ONCE = 32
"""Whole records in memory while they are redriven: each can hold two images of 400 KB."""


class Letters:
    """A letter stays until its change is written or superseded, or a person discards it (I7)."""

    def __init__(self, pipeline: Pipeline) -> None:
        adapters = pipeline.outside.adapters
        self._pipeline = pipeline
        self._control = adapters.control
        self._clock = adapters.clock
        self.redrives = Redrives(pipeline, self._redrive)
        self._under_way: set[str] = set()
        """Letters that are being redriven."""

    async def page(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """By their ids, oldest first. Raises InvalidError for a cursor that is none, UnavailableNowError."""
        letters, following = await self._listed(limit, cursor)
        return [_entry(letter) for letter in letters], following

    async def found(self, letter_id: str) -> dict[str, Any]:
        """The entry, with the whole `record`. Raises NotFoundError, UnavailableNowError."""
        letter = await self._whole(letter_id)
        return {**_entry(letter), "record": _shown(letter.record)}

    async def discard(self, flow: JobFlow | None, letter_id: str) -> None:
        """Give the change up for good. Raises NotFoundError, ConflictError, UnavailableNowError."""
        if letter_id in self._under_way:
            raise ConflictError(f"the dead letter {letter_id} is being redriven: look again when that is done")
        with answering():
            is_discarded = await self._control.delete_dead_letter(letter_id, self._clock.now())
        if not is_discarded:
            raise NotFoundError(f"there is no dead letter {letter_id!r}")
        await self._pipeline.letter_count.refresh()

    async def redrive(self, flow: JobFlow, ids: Sequence[str] | None) -> Redriving:
        """Write these letters, or all, again; the job runs still, if it takes longer than a moment. May be repeated.

        Raises NotFoundError for an id that is none, before anything is done; ConflictError, also while another
        redrive runs; UnavailableNowError.
        """
        if self._pipeline.is_paused:
            raise ConflictError("the pipeline is paused, and writes nothing: resume it, then redrive")
        for letter_id in ids or ():
            await self._whole(letter_id)
        return await self.redrives.start(flow, ids)

    async def _redrive(self, run: RedriveRun) -> None:
        redrive = Redrive(run.flow, self._pipeline.outside)
        async for some in self._chosen(run):
            await run.flow.gate.until_open()
            self._under_way.update(some)
            try:
                await self._redrive_some(run, redrive, some)
            finally:
                self._under_way.difference_update(some)

    async def _chosen(self, run: RedriveRun) -> AsyncIterator[list[str]]:
        """Oldest first, so that a key's letters are written in order; each once, however long it takes."""
        while (left := run.place["ids"]) is not None:
            if not left:
                return
            yield left[:LETTERS_AT_ONCE]
            run.move(ids=left[LETTERS_AT_ONCE:])
        while True:
            letters, cursor = await self._next(run)
            # What failed since it began is left out: it would not come to an end while the replica refuses everything.
            yield [letter.id for letter in letters if letter.failed_at <= run.place["began_at"]]
            run.move(cursor=cursor)
            if cursor is None:
                return

    async def _next(self, run: RedriveRun) -> tuple[list[DeadLetter], str | None]:
        """A page, asked for until it is answered."""
        cursor = run.place["cursor"]
        return await run.flow.requests.read(lambda: self._control.list_dead_letters(LETTERS_AT_ONCE, cursor), "control")

    async def _redrive_some(self, run: RedriveRun, redrive: Redrive, ids: Sequence[str]) -> None:
        async with asyncio.TaskGroup() as tasks:
            reading = {letter_id: tasks.create_task(self._read(run.flow, letter_id)) for letter_id in ids}
        async with asyncio.TaskGroup() as tasks:  # they enter the lanes in the order of their making
            for letter_id, letter in [(letter_id, task.result()) for letter_id, task in reading.items()]:
                if isinstance(letter, DeadLetter):
                    tasks.create_task(self._redrive_one(run, redrive, letter), name=f"redrive {letter_id}")
                elif letter is not None:
                    run.fail(letter_id, _escaped(str(letter)))

    async def _read(self, flow: JobFlow, letter_id: str) -> DeadLetter | HaltError | None:
        """None if it is gone meanwhile; the error of one that can't be read."""
        try:
            return await flow.requests.read(lambda: self._control.get_dead_letter(letter_id), "control")
        except HaltError as error:
            return error

    async def _redrive_one(self, run: RedriveRun, redrive: Redrive, letter: DeadLetter) -> None:
        """A crash between the write and the letter's end is harmless: the next redrive finds it superseded.

        A letter that got a newer record meanwhile stays.
        """
        try:
            outcome = await redrive.write(letter)
        except ChangeError as error:
            run.fail(letter.id, _escaped(str(error)))
            await self._keep(run.flow, letter, error)
            return
        run.counts[REDRIVEN if outcome.took_effect else SUPERSEDED] += 1
        await run.flow.requests.read(
            lambda: self._control.delete_dead_letter(letter.id, self._clock.now(), letter.version), "control"
        )
        await self._pipeline.letter_count.refresh()

    async def _keep(self, flow: JobFlow, letter: DeadLetter, error: ChangeError) -> None:
        attempts = flow.requests.max_attempts if isinstance(error, TransientChangeError) else 1
        told = _escaped(str(error))
        refused = replace(letter, attempts=letter.attempts + attempts, error=told, failed_at=self._clock.now())
        await flow.requests.read(lambda: self._control.note_dead_letter(refused), "control")

    async def _listed(self, limit: int, cursor: str | None) -> tuple[list[DeadLetter], str | None]:
        try:
            with answering():
                return await self._control.list_dead_letters(limit, cursor)
        except ValueError as error:
            raise InvalidError(str(error)) from error

    async def _whole(self, letter_id: str) -> DeadLetter:
        with answering():
            letter = await self._control.get_dead_letter(letter_id)
        if letter is None:
            raise NotFoundError(f"there is no dead letter {letter_id!r}")
        return letter


def _entry(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "shard_id": letter.shard_id,
        "sequence_number": str(letter.sequence) if letter.sequence is not None else None,
        "event_name": letter.event_name,
        "keys": _shown(letter.key) if letter.key is not None else None,
        "error": letter.error,
        "attempts": letter.attempts,
        "failed_at": moment(letter.failed_at),
    }


def _shown(text: bytes) -> Any:
    """As JSON; what is none, and can't be anything's fault but its writer's, as the text that it is."""
    try:
        return msgspec.json.decode(text)
    except ValueError:
        with contextlib.suppress(ValueError):
            return _escaped(json.loads(text))  # it holds text that is no Unicode
        return text.decode(errors="replace")


def _escaped(value: Any) -> Any:
    """Half of a surrogate pair as its escape: no answer could carry it."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    if isinstance(value, dict):
        return {_escaped(name): _escaped(each) for name, each in value.items()}
    return value
