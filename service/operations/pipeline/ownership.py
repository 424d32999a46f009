"""What this process may do for a pipeline: only the owner of its lease carries out what is asked for."""

from __future__ import annotations

from service.operations.console import ConflictError
from service.operations.documents.status import PipelineState
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import Lease
from service.replication.flow import Flow


def flow_of(pipeline: Pipeline) -> Flow:
    """The running flow. Raises ConflictError, which names the active process, where this one has none."""
    if pipeline.replicator is None:
        raise ConflictError(not_here(pipeline))
    return pipeline.replicator


def lease_of(pipeline: Pipeline) -> Lease:
    """Raises ConflictError, which names the active process, where this one is not the owner."""
    if pipeline.holder.lease is None:
        raise ConflictError(not_here(pipeline))
    return pipeline.holder.lease


def is_failed(pipeline: Pipeline) -> bool:
    """This process owns it, and nothing goes on until a person acts."""
    is_owner = pipeline.holder.lease is not None
    return is_owner and pipeline.replicator is None and pipeline.state is PipelineState.FAILED


def not_here(pipeline: Pipeline) -> str:
    """Why it is not done in this process, and who to ask."""
    if is_failed(pipeline):
        return f"the pipeline has failed, and writes nothing: {pipeline.reason}"
    seen = pipeline.holder.record
    owner = f", {seen.owner}" if pipeline.holder.lease is None and seen is not None and not seen.is_released else ""
    return f"this process does not replicate now (it is {pipeline.state}); ask the active one{owner}, or wait"
