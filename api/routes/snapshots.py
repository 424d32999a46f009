"""Snapshots: copy the whole source into the replica, beside the live stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from starlette.responses import Response

from api.payloads import MAX_ID, Nothing, Snapshots
from api.rendering import ACCEPTED, CANCELLED, accepted, rendered
from service.operations.console import Console
from service.operations.documents.jobs import Snapshot


def build(console: Console) -> APIRouter:
    router = APIRouter(tags=["snapshots"])

    @router.post(
        "/snapshot",
        status_code=202,
        response_model=Snapshot,
        responses={**ACCEPTED, 409: {"description": "Another snapshot is running."}},
    )
    async def begin_snapshot(body: Annotated[Nothing | None, Body()] = None) -> Response:
        """Copy every item of the source that the replica lacks or has older."""
        begun = await console.snapshot()
        return accepted(begun, f"/snapshots/{begun.id}")

    @router.get("/snapshots", response_model=Snapshots)
    async def list_snapshots() -> Response:
        """The snapshots, newest first."""
        return rendered(Snapshots(items=await console.snapshots()))

    @router.get("/snapshots/{id}", response_model=Snapshot, responses={404: {"description": "No such snapshot."}})
    async def find_snapshot(snapshot_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """One snapshot: its progress while it runs, then its result."""
        return rendered(await console.find_snapshot(snapshot_id))

    @router.delete("/snapshots/{id}", response_model=Snapshot, responses=CANCELLED)
    async def cancel_snapshot(snapshot_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """Cancel a snapshot. Answers once nothing of it is under way; it is never taken up again.

        One that the pipeline needs, since the replica is not whole without it, can't be cancelled.
        """
        return rendered(await console.cancel_snapshot(snapshot_id))

    return router
