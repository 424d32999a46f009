"""Which exception becomes which problem; the one table of it.

An exception that nobody foresaw is a 500 whose text says nothing: its message could hold an item's values, so it
goes neither to the caller nor to the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from api.payloads import VARIANT
from api.problems import problem
from service.operations.console import (
    ConflictError,
    InvalidError,
    NotFoundError,
    OperationError,
    TrimmedAlreadyError,
    UnavailableNowError,
)

STATUSES: tuple[tuple[type[OperationError], int], ...] = (
    (NotFoundError, 404),
    (TrimmedAlreadyError, 410),
    (InvalidError, 422),
    (UnavailableNowError, 503),
    (ConflictError, 409),
    (OperationError, 409),
)
RETRY_AFTER = {"retry-after": "1"}
_WORDS = {
    "extra_forbidden": "unknown; leave it out, or look at /docs for its right name",
    "json_invalid": "expected JSON",
    "missing": "required",
    "model_attributes_type": "expected a JSON object",
}


def install(app: FastAPI) -> None:
    """Make the app answer its exceptions with problems."""
    app.add_exception_handler(OperationError, _operation_refused)
    app.add_exception_handler(RequestValidationError, _request_invalid)
    app.add_exception_handler(HTTPException, _http_refused)


async def _operation_refused(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 409)
    headers = RETRY_AFTER if status == 503 else {}
    if isinstance(error, TrimmedAlreadyError):
        return problem(status, str(error), headers, oldest_sequence_number=error.oldest)
    if isinstance(error, InvalidError):
        return problem(status, str(error), headers, errors=[])
    return problem(status, str(error), headers)


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
    path = request.scope["path"]
    template = path if path in paths else next((each for each in paths if compile_path(each)[0].match(path)), None)
    methods = {method.upper() for method in paths[template]} if template else {"GET"}  # /docs and /openapi.json
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _field(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return "body"  # the framework adds an offset, which would read as a field
    return ".".join(str(part) for part in problem["loc"] if not str(part).startswith(VARIANT)) or "body"


def _expected(problem: Mapping[str, Any]) -> str:
    return _WORDS.get(problem["type"]) or str(problem["msg"]).removeprefix("Value error, ")
