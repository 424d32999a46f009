"""Verifications: compare source and replica item by item, and mend what differs if asked to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from starlette.responses import Response

from api.audit import note
from api.payloads import MAX_ID, Verifications, VerifyRequest
from api.rendering import ACCEPTED, CANCELLED, accepted, rendered
from service.operations.console import Console
from service.operations.documents.jobs import Verification


def build(console: Console) -> APIRouter:
    router = APIRouter(tags=["verifications"])

    @router.post(
        "/verify",
        status_code=202,
        response_model=Verification,
        responses={**ACCEPTED, 409: {"description": "Another verification is running."}},
    )
    async def begin_verification(request: Request, body: Annotated[VerifyRequest | None, Body()] = None) -> Response:
        """Compare the two tables; a difference counts only if the stream does not explain it."""
        asked = body or VerifyRequest()
        note(request, repair=asked.repair, sample=asked.sample)
        begun = await console.verify(repair=asked.repair, sample=asked.sample)
        return accepted(begun, f"/verifications/{begun.id}")

    @router.get("/verifications", response_model=Verifications)
    async def list_verifications() -> Response:
        """The verifications, newest first."""
        return rendered(Verifications(items=await console.verifications()))

    @router.get(
        "/verifications/{id}", response_model=Verification, responses={404: {"description": "No such verification."}}
    )
    async def find_verification(verification_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """One verification: its progress while it runs, then its result."""
        return rendered(await console.find_verification(verification_id))

    @router.delete("/verifications/{id}", response_model=Verification, responses=CANCELLED)
    async def cancel_verification(verification_id: Annotated[str, Path(alias="id", max_length=MAX_ID)]) -> Response:
        """Cancel a verification. Answers once nothing of it is under way; it is never taken up again."""
        return rendered(await console.cancel_verification(verification_id))

    return router
