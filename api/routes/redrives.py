"""Redrives: dead letters that are written again, a job where it takes long."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api.payloads import MAX_ID, Redrives
from api.rendering import CANCELLED, rendered
from service.operations.console import Console
from service.operations.documents.jobs import Redriving

RedriveId = Annotated[str, Path(alias="id", max_length=MAX_ID)]


def build(console: Console) -> APIRouter:
    router = APIRouter(prefix="/redrives", tags=["dead letters"])

    @router.get("", response_model=Redrives)
    async def list_redrives() -> Response:
        """The redrives, newest first."""
        return rendered(Redrives(items=await console.redrives()))

    @router.get("/{id}", response_model=Redriving, responses={404: {"description": "No such redrive."}})
    async def find_redrive(redrive_id: RedriveId) -> Response:
        """One redrive: its progress while it runs, then its result."""
        return rendered(await console.find_redrive(redrive_id))

    @router.delete("/{id}", response_model=Redriving, responses=CANCELLED)
    async def cancel_redrive(redrive_id: RedriveId) -> Response:
        """Cancel a redrive. Answers once nothing of it is under way; the letters that are left are kept."""
        return rendered(await console.cancel_redrive(redrive_id))

    return router
