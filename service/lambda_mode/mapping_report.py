"""The status of a pipeline that Lambda replicates: what its mapping tells, and this process, which writes beside it."""

from __future__ import annotations

from dataclasses import dataclass

from service.lambda_mode.event_source_mapping import PipelineMapping
from service.operations.documents.status import History, PipelineState, Role, Status
from service.operations.documents.utc_time import moment_or_none
from service.operations.pipeline.ownership import reason_of
from service.operations.pipeline.pipeline import Pipeline
from service.operations.status.status_report import Report

NO_REPLAY = (
    "Lambda reads this pipeline's stream, and only its mapping can be set back (create it anew with StartingPosition "
    "TRIM_HORIZON); to mend the replica, verify with repair"
)
_OURS = (PipelineState.STARTING, PipelineState.RUNNING, PipelineState.SNAPSHOTTING, PipelineState.PAUSED)
"""States of this process in which the mapping's state is the pipeline's."""


@dataclass(frozen=True)
class MappingReport:
    """Implements console.Reporting. `report` is of a pipeline without a flow: what Lambda has read is not known.

    That one takes no lease: who is active tells `pipeline`, which writes beside the mapping.
    """

    pipeline: Pipeline
    report: Report
    mapping: PipelineMapping

    def status(self) -> Status:
        """The lag and the shards are unknown: Lambda's metric IteratorAge tells the lag."""
        pipeline, mapping = self.pipeline, self.mapping
        is_active = pipeline.holder.lease is not None
        known = self.report.status()
        return known.model_copy(
            update={
                "state": self._state(),
                "reason": reason_of(pipeline) or mapping.problem,
                "role": Role.ACTIVE if is_active else Role.STANDBY,
                "active": pipeline.holder.active,
                "active_since": moment_or_none(pipeline.holder.active_since),
                "paused_since": mapping.paused_since,
                "dead_letters": pipeline.letter_count.known(is_owner=is_active),
                "warnings": [*known.warnings, *mapping.warnings()],
            }
        )

    def history(self) -> History:
        return self.report.history()

    def _state(self) -> PipelineState:
        state = self.pipeline.state
        if state not in _OURS:
            return state
        if self.pipeline.is_snapshotting and self.mapping.state is PipelineState.RUNNING:
            return PipelineState.SNAPSHOTTING
        return self.mapping.state

    def not_ready_reason(self) -> str | None:
        if self.pipeline.state is PipelineState.FAILED:
            return self.pipeline.reason or "failed"
        return self.mapping.problem
