"""What this process may do for a pipeline: only the owner of its lease carries out what is asked for."""

from __future__ import annotations

from service.operations.console import ConflictError
from service.operations.documents.status import PipelineState
from service.operations.documents.utc_time import moment, utc_text
from service.operations.pipeline.pipeline import Pipeline
from service.pipeline_state import Lease
from service.replication.flow import Flow
from service.replication.lease import LeaseHolder


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
    here, holder = "this process does not replicate now", pipeline.holder
    if holder.lease is not None:
        if pipeline.successor:
            return f"{here}: it hands the pipeline over to {pipeline.successor}; ask that one, or wait"
        is_starting = pipeline.state is PipelineState.STARTING
        return f"{here}: it {'starts' if is_starting else 'ends'} its replication; wait, and ask again"
    step = f"ask {holder.active}, or wait" if holder.active is not None else "wait until one does"
    return f"{here} (it is {pipeline.state}); {who_replicates(holder)}: {step}"


def reason_of(pipeline: Pipeline) -> str | None:
    """Of a process that stands by since it lost its lease: when, why, and who replicates since."""
    holder = pipeline.holder
    if not pipeline.reason or holder.lost_at is None or pipeline.state is not PipelineState.STANDBY:
        return pipeline.reason
    lost = f"this process lost the lease at {_at(holder.lost_at)}: {pipeline.reason}"
    if holder.active is None:
        return f"{lost}; {who_replicates(holder)}"
    return f"{lost}; {who_replicates(holder)}, and nothing has to be done: this process stands by for that one"


def who_replicates(holder: LeaseHolder) -> str:
    """As far as this process, which does not, has seen: another one, or who was the last."""
    record = holder.record
    if holder.active is not None:
        since = holder.active_since
        return f"{holder.active} replicates" + (f" since {_at(since)}" if since else "")
    if record is None or not record.generation:
        return "no process is known that replicates"
    last = "this process" if record.owner == holder.owner else record.owner
    return f"no process is known that replicates; {last} was the last that did, at {_at(record.renewed_at)}"


def _at(seconds: float) -> str:
    return utc_text(moment(seconds))
