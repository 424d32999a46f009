"""The pipelines of this process: their list, and the configuration file read again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import Response

from api.addressing import addressed, consoles_of, no_parameters
from api.audit import note
from api.payloads import Nothing
from api.rendering import rendered
from service.operations.console import Consoles
from service.operations.documents.fleet import Pipelines, PipelineSummary, Reloaded

router = APIRouter(tags=["pipelines"], dependencies=[Depends(no_parameters)])


@router.get("/pipelines", response_model=Pipelines)
async def list_pipelines(request: Request) -> Response:
    """Every pipeline of this process in a line, and the discovered tables that none replicates."""
    consoles = consoles_of(request)
    items = [summary_of(name, consoles) for name in consoles.names()]
    return rendered(Pipelines(items=items, left_out=consoles.left_out()))


@router.post("/reload", response_model=Reloaded)
async def reload(request: Request, body: Annotated[Nothing | None, Body()] = None) -> Response:
    """Read the configuration file again: what is new starts, what is gone stops, what has changed restarts.

    A file with an error changes nothing: 422, and `errors` has everything that is wrong. 409 where there is no file.
    """
    done = await consoles_of(request).reload()
    note(request, **done.model_dump())
    return rendered(done)


def summary_of(name: str, consoles: Consoles) -> PipelineSummary:
    console = consoles.of(name)
    status, not_ready = console.status(), console.not_ready_reason()
    reason = status.reason or not_ready
    return PipelineSummary(
        name=name,
        state=status.state,
        role=status.role,
        reason=addressed(reason, name, consoles) if reason else reason,
        ready=not_ready is None,
        paused_since=status.paused_since,
        lag_seconds=status.lag.seconds,
        caught_up=status.lag.caught_up,
        dead_letters=status.dead_letters,
        warnings=[addressed(text, name, consoles) for text in status.warnings],
    )
