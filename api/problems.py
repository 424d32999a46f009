"""Problems: every answer that is not the one asked for, as `application/problem+json` (RFC 9457).

A problem's text is for a person and never repeats a value from the request's body. Its `type` is a name that a
program may compare; there is one for each status that the API uses. The one table of which exception becomes which
problem is here too. An exception that nobody foresaw is a 500 whose text says nothing: its message could hold an
item's values, so it goes neither to the caller nor to the log.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from api.addressing import addressed, consoles_of
from api.payloads import VARIANT
from service.operations.console import (
    InvalidError,
    NotFoundError,
    OperationError,
    TrimmedAlreadyError,
    UnavailableNowError,
)

MEDIA_TYPE = "application/problem+json"
STATUSES: tuple[tuple[type[OperationError], int], ...] = (
    (NotFoundError, 404),
    (TrimmedAlreadyError, 410),
    (InvalidError, 422),
    (UnavailableNowError, 503),
    (OperationError, 409),
)
RETRY_AFTER = {"retry-after": "1"}
CLOSE = {"connection": "close"}
"""After a refusal the rest of the body is not worth reading: the connection ends with the answer."""
_WORDS = {
    "extra_forbidden": "unknown; leave it out, or look at /docs for its right name",
    "json_invalid": "expected JSON",
    "missing": "required",
    "model_attributes_type": "expected a JSON object",
}
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


def install(app: FastAPI) -> None:
    """Make the app answer its exceptions with problems."""
    app.add_exception_handler(OperationError, _operation_refused)
    app.add_exception_handler(RequestValidationError, _request_invalid)
    app.add_exception_handler(HTTPException, _http_refused)


async def _operation_refused(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    headers = RETRY_AFTER if status == 503 else {}
    name = request.path_params.get("name")
    told = str(error) if name is None else addressed(str(error), name, consoles_of(request))
    if isinstance(error, TrimmedAlreadyError):
        return problem(status, told, headers, oldest_sequence_number=error.oldest)
    if isinstance(error, InvalidError):
        return problem(status, told, headers, errors=[{"field": "file", "message": text} for text in error.problems])
    return problem(status, told, headers)


async def _request_invalid(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError) and isinstance(error.body, bytes) and error.body:
        # The framework reads JSON only where the header says that it is some, and hands out other bodies as bytes.
        return problem(415, "A request's body is JSON: send it with 'Content-Type: application/json'.")
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [{"field": _field(problem), "message": _expected(problem)} for problem in found]
    sentences = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return problem(422, f"The request is not understood. {sentences}", errors=errors)


async def _http_refused(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    if status == 405:
        allowed = ", ".join(_methods_at(request))
        return problem(405, f"This path takes {allowed} only.", {"allow": allowed})
    if status == 404:
        return problem(404, "There is nothing at this path; /docs lists what there is.")
    if status == 400:  # what the framework says of a body that is no JSON at all, such as one that is not UTF-8
        errors = [{"field": "body", "message": _WORDS["json_invalid"]}]
        return problem(422, f"The request is not understood. body: {_WORDS['json_invalid']}", errors=errors)
    return problem(status, detail)


def _methods_at(request: Request) -> list[str]:
    """Every method that this path takes: the framework names only those of the first route that it finds."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = [
        template
        for template in paths
        if compile_path(template.replace("{name}", "{name:path}"))[0].match(request.scope["path"])
    ]
    template = min(found, key=lambda each: each.count("{"), default=None)
    methods = {method.upper() for method in paths[template]} if template else {"GET"}  # /docs and /openapi.json
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _field(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return "body"  # the framework adds an offset, which would read as a field
    return ".".join(str(part) for part in problem["loc"] if not str(part).startswith(VARIANT)) or "body"


def _expected(problem: Mapping[str, Any]) -> str:
    return _WORDS.get(problem["type"]) or str(problem["msg"]).removeprefix("Value error, ")
