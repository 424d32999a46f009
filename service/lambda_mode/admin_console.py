"""The console of a pipeline that Lambda replicates: the same jobs, beside Lambda instead of beside our own flow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from service.lambda_mode.event_source_mapping import PipelineMapping
from service.operations.console import ConflictError
from service.operations.documents.jobs import Redriving, Replay, Snapshot, Verification
from service.operations.documents.settings import EffectiveSettings
from service.operations.documents.status import History, PipelineState, Role, Status
from service.operations.live_console import LiveConsole
from service.operations.pipeline.pipeline import Pipeline
from service.operations.status.status_report import Report

_OURS = (PipelineState.STARTING, PipelineState.RUNNING, PipelineState.SNAPSHOTTING, PipelineState.PAUSED)
"""States of this process in which the mapping's state is the pipeline's."""


class AdminOnlyConsole:
    """Implements console.Console. `report` is of a pipeline without a flow: what Lambda has read is not known here."""

    def __init__(self, *, console: LiveConsole, pipeline: Pipeline, report: Report, mapping: PipelineMapping) -> None:
        self._console = console
        self._pipeline = pipeline
        self._report = report
        self._mapping = mapping

    def status(self) -> Status:
        """The lag and the shards are unknown: Lambda's metric IteratorAge tells the lag."""
        pipeline, mapping = self._pipeline, self._mapping
        is_active = pipeline.holder.lease is not None
        known = self._report.status()
        return known.model_copy(
            update={
                "state": self._state(),
                "reason": pipeline.reason or mapping.problem,
                "role": Role.ACTIVE if is_active else Role.STANDBY,
                "active": pipeline.holder.active,
                "paused_since": mapping.paused_since,
                "dead_letters": pipeline.letter_count.known(is_owner=is_active),
                "warnings": [*known.warnings, *mapping.warnings()],
            }
        )

    def history(self) -> History:
        return self._console.history()

    def settings(self) -> EffectiveSettings:
        return self._console.settings()

    def _state(self) -> PipelineState:
        state = self._pipeline.state
        if state not in _OURS:
            return state
        if self._pipeline.is_snapshotting and self._mapping.state is PipelineState.RUNNING:
            return PipelineState.SNAPSHOTTING
        return self._mapping.state

    def not_ready_reason(self) -> str | None:
        if self._pipeline.state is PipelineState.FAILED:
            return self._pipeline.reason or "failed"
        return self._mapping.problem

    async def pause(self) -> Status:
        await self._mapping.switch(is_on=False)
        return self.status()

    async def resume(self) -> Status:
        await self._mapping.switch(is_on=True)
        return self.status()

    async def replay(
        self,
        *,
        sequence_number: str | None = None,
        shard_id: str | None = None,
        from_time: datetime | None = None,
        from_: Literal["trim_horizon"] | None = None,
        dry_run: bool = False,
    ) -> Replay:
        raise ConflictError(
            "Lambda reads this pipeline's stream, and only its mapping can be set back (create it anew with "
            "StartingPosition TRIM_HORIZON); to mend the replica, verify with repair"
        )

    async def replays(self) -> list[Replay]:
        return await self._console.replays()

    async def find_replay(self, replay_id: str) -> Replay:
        return await self._console.find_replay(replay_id)

    async def cancel_replay(self, replay_id: str) -> Replay:
        return await self._console.cancel_replay(replay_id)

    async def replicate(self, keys: dict[str, Any]) -> Literal["written", "deleted", "unchanged"]:
        return await self._console.replicate(keys)

    async def snapshot(self) -> Snapshot:
        return await self._console.snapshot()

    async def snapshots(self) -> list[Snapshot]:
        return await self._console.snapshots()

    async def find_snapshot(self, snapshot_id: str) -> Snapshot:
        return await self._console.find_snapshot(snapshot_id)

    async def cancel_snapshot(self, snapshot_id: str) -> Snapshot:
        return await self._console.cancel_snapshot(snapshot_id)

    async def verify(self, *, repair: bool = False, sample: float | None = None) -> Verification:
        return await self._console.verify(repair=repair, sample=sample)

    async def verifications(self) -> list[Verification]:
        return await self._console.verifications()

    async def find_verification(self, verification_id: str) -> Verification:
        return await self._console.find_verification(verification_id)

    async def cancel_verification(self, verification_id: str) -> Verification:
        return await self._console.cancel_verification(verification_id)

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        return await self._console.dead_letters(limit, cursor)

    async def find_dead_letter(self, letter_id: str) -> dict[str, Any]:
        return await self._console.find_dead_letter(letter_id)

    async def redrive(self, ids: list[str] | None) -> Redriving:
        return await self._console.redrive(ids)

    async def redrives(self) -> list[Redriving]:
        return await self._console.redrives()

    async def find_redrive(self, redrive_id: str) -> Redriving:
        return await self._console.find_redrive(redrive_id)

    async def cancel_redrive(self, redrive_id: str) -> Redriving:
        return await self._console.cancel_redrive(redrive_id)

    async def discard(self, letter_id: str) -> None:
        await self._console.discard(letter_id)
