"""Problems: every answer that is not the one asked for, as `application/problem+json` (RFC 9457).

A problem's text is for a person and never repeats a value from the request's body. Its `type` is a name that a
program may compare; there is one for each status that the API uses.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

TYPES = {
    400: "bad-request",
    401: "token-needed",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-too-slow",
    409: "conflict",
    410: "trimmed",
    413: "request-too-large",
    415: "not-json",
    422: "invalid",
    500: "internal-error",
    503: "unavailable",
}


class FieldProblem(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(description="Where: `body.`, `query.` or `path.`, then the field.", examples=["body.from_time"])
    message: str = Field(description="What was expected there.", examples=["Field required"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(
        description="A name for programs: " + ", ".join(f"`urn:dynamirror:problem:{name}`" for name in TYPES.values()),
        examples=["urn:dynamirror:problem:conflict"],
    )
    title: str = Field(description="The status in words.", examples=["Conflict"])
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(description="What is wrong, and what to do.", examples=["Another replay is running."])
    oldest_sequence_number: str | None = Field(
        default=None, description="With 410: the oldest sequence number that can still be replayed, if there is one."
    )
    errors: list[FieldProblem] | None = Field(default=None, description="With 422: everything that is wrong.")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """The answer that tells of a problem. `members` are the extra ones of `Problem`."""
    document = {
        "type": f"urn:dynamirror:problem:{TYPES.get(status, 'refused')}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    # ASCII: a field's name may hold half of a surrogate pair, which JSON can say and UTF-8 can't.
    body = json.dumps(document, ensure_ascii=True).encode()
    return Response(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
