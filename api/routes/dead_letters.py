"""Dead letters: the changes that could not be written; look at them, write them again, or let them go."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from api.addressing import Asked, NoParameters, no_parameters, place
from api.audit import note
from api.payloads import (
    MAX_ID,
    DeadLetterDetail,
    DeadLetterEntry,
    DeadLetterPage,
    Redriven,
    RedriveRequest,
    RedriveSome,
)
from api.rendering import ACCEPTED, accepted, rendered
from service.operations.documents.jobs import JobState, Redriving

LetterId = Annotated[str, Path(alias="id", max_length=MAX_ID)]
_NONE: dict[int | str, dict[str, Any]] = {404: {"description": "No such dead letter."}}
_REDRIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Done; `Location` is the job, which tells which letters failed and why.",
        "headers": ACCEPTED[202]["headers"],
    },
    202: {**ACCEPTED[202], "model": Redriving},
    **_NONE,
    409: {"description": "Another redrive is running, or the pipeline is paused."},
}
_EXAMPLES: dict[str, Any] = {
    "some": {"value": {"ids": ["000001100000000017454423009"]}},
    "all": {"value": {"all": True}},
}

router = APIRouter(tags=["dead letters"])
_PLAIN = [Depends(no_parameters)]


class PageAsked(NoParameters):
    limit: int = Field(default=100, ge=1, le=1000, description="At most this many.")
    cursor: str | None = Field(default=None, max_length=1024, description="The last answer's `cursor`.")


@router.get("/dead-letters", response_model=DeadLetterPage)
async def list_dead_letters(console: Asked, page: Annotated[PageAsked, Query()]) -> Response:
    """The dead letters, oldest first, without their items."""
    entries, following = await console.dead_letters(page.limit, page.cursor)
    items = [DeadLetterEntry.model_validate(entry) for entry in entries]
    return rendered(DeadLetterPage(items=items, cursor=following))


@router.get("/dead-letters/{id}", response_model=DeadLetterDetail, responses=_NONE, dependencies=_PLAIN)
async def get_dead_letter(console: Asked, letter_id: LetterId) -> Response:
    """One dead letter with its whole record."""
    return rendered(DeadLetterDetail.model_validate(await console.find_dead_letter(letter_id)))


@router.post("/dead-letters/redrive", response_model=Redriven, responses=_REDRIVE, dependencies=_PLAIN)
async def redrive_dead_letters(
    console: Asked, body: Annotated[RedriveRequest, Body(openapi_examples=_EXAMPLES)], request: Request
) -> Response:
    """Write dead letters again, unless a newer state of their item has been applied since. May be repeated.

    What takes longer than ten seconds goes on as a job, and answers 202.
    """
    ids = body.ids if isinstance(body, RedriveSome) else None
    note(request, ids="all" if ids is None else len(ids))
    job = await console.redrive(ids)
    if job.state is JobState.RUNNING:
        return accepted(job, place(request, f"/redrives/{job.id}"))
    counts = Redriven(redriven=job.redriven, superseded=job.superseded, failed=job.failed)
    return rendered(counts, headers={"location": place(request, f"/redrives/{job.id}")})


@router.delete("/dead-letters/{id}", status_code=204, response_class=Response, responses=_NONE, dependencies=_PLAIN)
async def discard_dead_letter(console: Asked, letter_id: LetterId) -> Response:
    """Discard one dead letter: its change is given up for good."""
    await console.discard(letter_id)
    return Response(status_code=204)
