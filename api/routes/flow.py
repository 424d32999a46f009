"""The flow: see it, stop it, let it go on, copy one item beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import Response, StreamingResponse

from api.addressing import Asked, no_parameters, status_addressed
from api.audit import asker, digest, note
from api.payloads import Nothing, Outcome, ReplicateRequest
from api.rendering import rendered
from service.operations.documents.settings import EffectiveSettings
from service.operations.documents.status import Status

# The text format that every scraper reads (prometheus_client.exposition.CONTENT_TYPE_PLAIN_0_0_4).
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["flow"], dependencies=[Depends(no_parameters)])


class MetricsResponse(Response):
    media_type = "text/plain"


@router.get("/status", response_model=Status)
async def get_status(console: Asked, request: Request) -> Response:
    """The status document: what dashboards poll."""
    return rendered(status_addressed(console.status(), request))


@router.get("/settings", response_model=EffectiveSettings)
async def get_settings(console: Asked) -> Response:
    """The settings in effect, and where each comes from; of secrets only whether they are set."""
    return rendered(console.settings())


@router.get("/metrics", response_class=MetricsResponse)
async def get_metrics(request: Request) -> Response:
    """The metrics, as Prometheus text; without a name those of all pipelines and of the process."""
    pieces = _with_turns(request.app.state.metrics(request.path_params.get("name")))
    return StreamingResponse(pieces, headers={"content-type": _METRICS_TYPE})


async def _with_turns(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The flow gets its turns between two of them."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


@router.post("/pause", response_model=Status)
async def pause(console: Asked, request: Request, body: Annotated[Nothing | None, Body()] = None) -> Response:
    """Stop the writes. Answers when none is in flight any more; kept through restarts; may be repeated.

    409, at once, when somebody resumes before that.
    """
    return rendered(status_addressed(await console.pause(asker(request)), request))


@router.post("/resume", response_model=Status)
async def resume(console: Asked, request: Request, body: Annotated[Nothing | None, Body()] = None) -> Response:
    """Let the writes go on. May be repeated."""
    return rendered(status_addressed(await console.resume(), request))


@router.post("/replicate", response_model=Outcome)
async def replicate_item(console: Asked, body: ReplicateRequest, request: Request) -> Response:
    """Copy one item's present state from the source, safely beside the stream. May be repeated."""
    keys = body.model_dump(mode="json")["keys"]
    note(request, key_digest=digest(keys))
    return rendered(Outcome(outcome=await console.replicate(keys)))
