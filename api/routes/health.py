"""Health: is the process alive, do its pipelines make progress. No token, for container platforms."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.addressing import addressed, consoles_of, no_parameters
from api.payloads import Health, Readiness
from api.problems import problem
from api.rendering import rendered

router = APIRouter(tags=["health"], dependencies=[Depends(no_parameters)])


@router.get("/healthz", response_model=Health)
async def get_health() -> Response:
    """Answers while the process is alive."""
    return rendered(Health())


@router.get("/readyz", response_model=Readiness, responses={503: {"description": "It does not, and why."}})
async def get_readiness(request: Request) -> Response:
    """Answers 200 while the pipeline makes progress or stands by, and 503 with the reason otherwise.

    Without a name it is about all pipelines of the process, and names those that are not ready.
    """
    consoles, name = consoles_of(request), request.path_params.get("name")
    asked = consoles.names() if name is None else [name]
    found = {each: reason for each in asked if (reason := consoles.of(each).not_ready_reason()) is not None}
    reasons = {each: addressed(reason, each, consoles) for each, reason in found.items()}
    if name is None and (unknown := consoles.not_ready_reason()) is not None:
        reasons["[discover]"] = unknown
    if not reasons:
        return rendered(Readiness())
    is_one = list(reasons) == asked
    return problem(503, "; ".join(reason if is_one else f"{each}: {reason}" for each, reason in reasons.items()))
