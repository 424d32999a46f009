"""What the control table tells of a pipeline to a process that does not replicate it, looked at once in a while.

A standby, a process that has lost its lease, one whose start takes long or has failed: each of them shows what is
stored of dead letters, verifications and gaps, rather than nothing, which would look like good news.
"""

from __future__ import annotations

import contextlib
from typing import Any

from service.errors import HaltError, RetryableError
from service.operations.documents.jobs import Verification
from service.operations.pipeline.pipeline import Pipeline
from service.operations.status.status_report import Report
from service.operations.verification import continuous as endless
from service.operations.verification import verifications
from service.replication.letter_count import LetterCount

LOOK_EVERY_SECONDS = 10.0
LOOK_WHILE_UNKNOWN_SECONDS = 1.0
GAPS_EVERY_LOOKS = 6
"""Gaps are kept with all the shards' checkpoints, which are more to read."""


class ControlLooks:
    """`report` shows what they see. A control table that does not answer is asked again in the next look."""

    def __init__(self, pipeline: Pipeline, report: Report, letters: LetterCount, *, has_gaps: bool = True) -> None:
        """`has_gaps`: the pipeline is replicated by processes like this one, and not by Lambda."""
        self._letters = letters
        self._pipeline = pipeline
        self._report = report
        self._control = pipeline.outside.adapters.control
        self._clock = pipeline.outside.adapters.clock
        self._has_seen_verifications = False
        self._newest: object = None
        """Which verification was the newest one, and its state then."""
        self._looks = 0
        self._has_gaps = has_gaps
        if not has_gaps:
            report.gaps_seen = ()

    async def look_periodically(self) -> None:
        """Until cancelled."""
        while True:
            await self.look_once()
            known = self._has_seen_verifications
            await self._clock.sleep(LOOK_EVERY_SECONDS if known else LOOK_WHILE_UNKNOWN_SECONDS)

    async def look_once(self) -> None:
        """Whoever knows the number of letters, takes no last verification for none at all: so they come last."""
        with contextlib.suppress(RetryableError, HaltError):
            await self._look_for_verification()
            await self._look_for_gaps()
            if self._is_needed:
                await self._letters.refresh()
        self._looks += 1

    @property
    def _is_needed(self) -> bool:
        """A running flow knows it all."""
        return self._pipeline.replicator is None

    async def _look_for_verification(self) -> None:
        report, control = self._report, self._control
        if self._has_seen_verifications and not self._is_needed:
            return
        newest = [(job.id, job.state) for job in await self._verifications(1)]
        if newest != self._newest:
            for job in await self._verifications(verifications.LOOKED_AT_AFTER_RESTART):
                endless.show_last(report, job)
            self._newest = newest
        last = await control.get_job(endless.KIND, endless.LAST)
        if last is not None and (found := _understood(last)) is not None:
            endless.show_last(report, found)
        self._has_seen_verifications = True

    async def _verifications(self, limit: int) -> list[Verification]:
        stored = await self._control.list_jobs(verifications.KIND, limit)
        return [job for entry in stored if (job := _understood(entry)) is not None]

    async def _look_for_gaps(self) -> None:
        is_due = self._report.gaps_seen is None or self._looks % GAPS_EVERY_LOOKS == 0
        if self._is_needed and self._has_gaps and is_due:
            self._report.gaps_seen = await self._control.read_gaps()


def _understood(entry: dict[str, Any]) -> Verification | None:
    """None for another version's document, of which this one knows too little."""
    with contextlib.suppress(ValueError):
        return Verification.model_validate(entry["document"])
    return None
