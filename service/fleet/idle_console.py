"""The console of a pipeline whose start is under way, or was refused: it tells that, and nothing can be asked of it."""

from __future__ import annotations

from typing import Any

from service.configuration.settings import Settings
from service.operations.console import ConflictError
from service.operations.documents.settings import EffectiveSettings
from service.operations.documents.status import History, PipelineState, QueueStatus, Role, Status
from service.operations.documents.utc_time import moment
from service.operations.status.counters import Totals
from service.operations.status.lag_status import lag_elsewhere
from service.operations.status.status_report import replica_of, source_of
from service.ports import Clock

_REFUSED = ("pause", "resume", "replay", "snapshot", "verify", "redrive")
"""What the status names of all that is refused here."""


class IdleConsole:
    """Implements console.Console. What can't be known without the tables is null."""

    def __init__(self, settings: Settings, version: str, clock: Clock, totals: Totals, process: str) -> None:
        self._settings = settings
        self._version = version
        self._clock = clock
        self._totals = totals
        self._process = process
        self._started_at = clock.now()
        self.reason: str | None = None
        """Why the start was refused; None while it is under way."""
        self.is_stopping = False

    def status(self) -> Status:
        settings = self._settings
        return Status(
            pipeline=settings.pipeline_name,
            state=self._state,
            reason=self.reason,
            role=Role.STANDBY,
            process=self._process,
            source=source_of(settings),
            replica=replica_of(settings),
            lag=lag_elsewhere(None),
            queue=QueueStatus(
                records=0, bytes=0, max_records=settings.queue_max_records, max_bytes=settings.queue_max_bytes
            ),
            shards=[],
            totals=self._totals.totals(),
            rates=self._totals.rates(),
            dead_letters=None,
            last_verification=None,
            gaps=[],
            warnings=[],
            refused=dict.fromkeys(_REFUSED, self._refusal),
            version=self._version,
            started_at=moment(self._started_at),
            now=moment(self._clock.now()),
        )

    def history(self) -> History:
        return self._totals.recorder.history()

    def settings(self) -> EffectiveSettings:
        return EffectiveSettings.of(self._settings)

    @property
    def _state(self) -> PipelineState:
        if self.is_stopping:
            return PipelineState.STOPPING
        return PipelineState.STARTING if self.reason is None else PipelineState.FAILED

    def not_ready_reason(self) -> str:
        return self.reason or self._state.value

    @property
    def _refusal(self) -> str:
        if self.reason is not None:
            return f"the pipeline could not start, and is started again by itself: {self.reason}"
        return f"the pipeline is {self._state}: ask again when it runs"

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ConflictError(self._refusal)

    pause = resume = replay = snapshot = verify = replicate = redrive = jobs = find_job = cancel_job = _refuse
    dead_letters = find_dead_letter = discard = _refuse
