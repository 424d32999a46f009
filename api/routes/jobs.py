"""Jobs: replays, snapshots, verifications and redrives; begun, seen, cancelled. (Dead letters begin a redrive.)"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request
from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from api.addressing import Asked, no_parameters, place
from api.audit import note
from api.payloads import MAX_ID, Nothing, ReplayRequest, VerifyRequest
from api.rendering import ACCEPTED, accepted, rendered
from service.operations.documents.jobs import JobKind, Redriving, Replay, Snapshot, Verification

_EXAMPLES: dict[str, Any] = {
    "from a record": {"value": {"sequence_number": "1100000000017454423009"}},
    "from a time": {"value": {"from_time": "2026-11-23T10:15:00Z"}},
    "all that the stream has, only to see what would change": {"value": {"from": "trim_horizon", "dry_run": True}},
}
_REPLAY: dict[int | str, dict[str, Any]] = {
    **ACCEPTED,
    409: {"description": "Another replay is running."},
    410: {"description": "Trimmed already; `oldest_sequence_number` is the oldest one that is left."},
}
_SNAPSHOT: dict[int | str, dict[str, Any]] = {**ACCEPTED, 409: {"description": "Another snapshot is running."}}
_VERIFY: dict[int | str, dict[str, Any]] = {**ACCEPTED, 409: {"description": "Another verification is running."}}
_NOT_CANCELLED = {
    409: {"description": "It had ended, or the pipeline can't do without it, or another process has the pipeline."}
}
JobId = Annotated[str, Path(alias="id", max_length=MAX_ID)]

router = APIRouter(dependencies=[Depends(no_parameters)])


@router.post("/replay", status_code=202, response_model=Replay, responses=_REPLAY, tags=["replays"])
async def start_replay(
    console: Asked, body: Annotated[ReplayRequest, Body(openapi_examples=_EXAMPLES)], request: Request
) -> Response:
    """Apply the stream's records again from a place on; the replica's newer items stay as they are.

    With `dry_run` the range is read and counted, and nothing is changed.
    """
    note(request, **body.model_dump(mode="json", by_alias=True))
    begun = await console.replay(**body.model_dump())
    return accepted(begun, place(request, f"/replays/{begun.id}"))


@router.post("/snapshot", status_code=202, response_model=Snapshot, responses=_SNAPSHOT, tags=["snapshots"])
async def start_snapshot(console: Asked, request: Request, body: Annotated[Nothing | None, Body()] = None) -> Response:
    """Copy every item of the source that the replica lacks or has older."""
    begun = await console.snapshot()
    return accepted(begun, place(request, f"/snapshots/{begun.id}"))


@router.post("/verify", status_code=202, response_model=Verification, responses=_VERIFY, tags=["verifications"])
async def start_verification(
    console: Asked, request: Request, body: Annotated[VerifyRequest | None, Body()] = None
) -> Response:
    """Compare the two tables; a difference counts only if the stream does not explain it."""
    asked = body or VerifyRequest()
    note(request, repair=asked.repair, sample=asked.sample)
    begun = await console.verify(repair=asked.repair, sample=asked.sample)
    return accepted(begun, place(request, f"/verifications/{begun.id}"))


def _add_calls(one: JobKind, job: type[BaseModel], kept: str = "") -> None:
    """What is the same for each kind of job: the list, one of them, and its end."""
    many = f"{one}s"
    # mypy knows no types that are made at run time, as `job` is here.
    jobs = create_model(many.capitalize(), items=(list[job], Field(description="Newest first.")))  # type: ignore[valid-type]

    async def show_all(console: Asked) -> Response:
        return rendered(jobs(items=await console.jobs(one)))

    async def show(console: Asked, job_id: JobId) -> Response:
        return rendered(await console.find_job(one, job_id))

    async def cancel(console: Asked, job_id: JobId) -> Response:
        return rendered(await console.cancel_job(one, job_id))

    def add(method: str, path: str, call: Any, answer: type[BaseModel], name: str, text: str, **more: Any) -> None:
        tags: list[str | Enum] = ["dead letters" if one == "redrive" else many]
        router.add_api_route(
            path, call, methods=[method], response_model=answer, name=name, description=text, tags=tags, **more
        )

    none = {404: {"description": f"No such {one}."}}
    add("GET", f"/{many}", show_all, jobs, f"list_{many}", f"The {many}, newest first.")
    text = f"One {one}: its progress while it runs, then its result."
    add("GET", f"/{many}/{{id}}", show, job, f"get_{one}", text, responses=none)
    text = f"Cancel a {one}. Answers once nothing of it is under way; it is never taken up again. {kept}"
    add("DELETE", f"/{many}/{{id}}", cancel, job, f"cancel_{one}", text, responses=none | _NOT_CANCELLED)


_add_calls("replay", Replay)
_add_calls(
    "snapshot", Snapshot, "One that the pipeline needs, since the replica is not whole without it, can't be cancelled."
)
_add_calls("verification", Verification)
_add_calls("redrive", Redriving, "The letters that are left are kept.")
