"""Replays: apply a part of the stream's history again, without taking any item back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from starlette.responses import Response

from api.audit import note
from api.payloads import MAX_ID, ReplayRequest, Replays
from api.rendering import ACCEPTED, CANCELLED, accepted, rendered
from service.operations.console import Console
from service.operations.documents.jobs import Replay

_EXAMPLES: dict[str, Any] = {
    "from a record": {"value": {"sequence_number": "1100000000017454423009"}},
    "from a time": {"value": {"from_time": "2026-11-23T10:15:00Z"}},
    "all that the stream has, only to see what would change": {"value": {"from": "trim_horizon", "dry_run": True}},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    **ACCEPTED,
    409: {"description": "Another replay is running."},
    410: {"description": "Trimmed already; `oldest_sequence_number` is the oldest one that is left."},
}


def build(console: Console) -> APIRouter:
    router = APIRouter(tags=["replays"])

    @router.post("/replay", status_code=202, response_model=Replay, responses=_ANSWERS)
    async def replay(
        body: Annotated[ReplayRequest, Body(openapi_examples=_EXAMPLES)],
        request: Request,
    ) -> Response:
        """Apply the stream's records again from a place on; the replica's newer items stay as they are.

        With `dry_run` the range is read and counted, and nothing is changed.
        """
        note(request, **body.model_dump(mode="json", by_alias=True))
        begun = await console.replay(**body.model_dump())
        return accepted(begun, f"/replays/{begun.id}")

    @router.get("/replays", response_model=Replays)
    async def list_replays() -> Response:
        """The replays, newest first."""
        return rendered(Replays(items=await console.replays()))

    @router.get("/replays/{id}", response_model=Replay, responses={404: {"description": "No such replay."}})
    async def find_replay(replay_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """One replay: its progress while it runs, then its result."""
        return rendered(await console.find_replay(replay_id))

    @router.delete("/replays/{id}", response_model=Replay, responses=CANCELLED)
    async def cancel_replay(replay_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """Cancel a replay. Answers once nothing of it is under way; it is never taken up again."""
        return rendered(await console.cancel_replay(replay_id))

    return router
