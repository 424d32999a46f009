"""What happened before: lag, throughput and latency over the last 24 hours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from api.addressing import Asked, NoParameters
from api.payloads import AskedTime
from api.rendering import rendered
from service.operations.documents.status import History

router = APIRouter(tags=["flow"])


class HistoryAsked(NoParameters):
    since: AskedTime | None = Field(
        default=None, description="Only the steps that began after this time, such as the last one's `at`."
    )


@router.get("/history", response_model=History)
async def get_history(console: Asked, asked: Annotated[HistoryAsked, Query()]) -> Response:
    """Lag, throughput and latency of the last 24 hours, in steps of 5 s, of a minute, of 10 minutes; oldest first.

    As long as this process runs: a restart begins anew.
    """
    items = console.history().items
    return rendered(History(items=[step for step in items if asked.since is None or step.at > asked.since]))
