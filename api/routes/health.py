"""Health: is the process alive, does the pipeline make progress. No token, for container platforms."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.payloads import Health, Readiness
from api.problems import problem
from api.rendering import rendered
from service.operations.console import Console


def build(console: Console) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=Health)
    async def alive() -> Response:
        """Answers while the process is alive."""
        return rendered(Health())

    @router.get("/readyz", response_model=Readiness, responses={503: {"description": "It does not, and why."}})
    async def ready() -> Response:
        """Answers 200 while the pipeline makes progress or stands by, and 503 with the reason otherwise."""
        reason = console.not_ready_reason()
        return rendered(Readiness()) if reason is None else problem(503, reason)

    return router
