"""The dead letters, as an operator sees them: listed, shown, written again, or discarded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from service.operations.console import ConflictError, InvalidError, NotFoundError, answering
from service.operations.dead_letters.redrives import Redrives
from service.operations.documents.jobs import Redriving
from service.operations.documents.utc_time import moment
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import DeadLetter
from service.replication.job_flow import JobFlow


class Letters:
    """A letter stays until its change is written or superseded, or a person discards it (I7)."""

    def __init__(self, pipeline: Pipeline) -> None:
        adapters = pipeline.outside.adapters
        self._pipeline = pipeline
        self._control = adapters.control
        self._clock = adapters.clock
        self.redrives = Redrives(pipeline)

    async def page(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """By their ids, oldest first. Raises InvalidError for a cursor that is none, UnavailableNowError."""
        try:
            with answering():
                letters, following = await self._control.list_dead_letters(limit, cursor)
        except ValueError as error:
            raise InvalidError(str(error)) from error
        return [_entry(letter) for letter in letters], following

    async def found(self, letter_id: str) -> dict[str, Any]:
        """The entry, with the whole `record`. Raises NotFoundError, UnavailableNowError."""
        letter = await self._whole(letter_id)
        return {**_entry(letter), "record": _shown(letter.record)}

    async def discard(self, letter_id: str) -> None:
        """Give the change up for good. Raises NotFoundError, ConflictError, UnavailableNowError."""
        if letter_id in self.redrives.letters:
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
