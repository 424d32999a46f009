"""The OpenAPI document: what the framework derives from the routes, with every problem that the front door adds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.auth import READING_METHODS, is_open
from api.examples import add_examples
from api.problems import MEDIA_TYPE, Problem

_DESCRIPTION = """\
Operates the pipelines of one process; each replicates a DynamoDB table through its stream.

Every call of a pipeline is there twice: `/status` where the process has one, `/pipelines/{name}/status` always. The
names are at `/pipelines`.

Times are ISO 8601 in UTC; sequence numbers are strings; an item's keys and values are DynamoDB JSON. Unknown fields and
query parameters are refused. Every error is `application/problem+json` (RFC 9457), whose `detail` says what to do.

With `DYNAMIRROR_ADMIN_TOKEN` set, a call that changes something needs `Authorization: Bearer TOKEN`, and so does one
that reads, unless `DYNAMIRROR_READ_TOKEN` is set: then either token reads. The health checks, the dashboard's page and
this documentation need no token. Without tokens the service listens on loopback only.
"""
_TEXTS = {
    "401": "The token is missing or wrong.",
    "403": "The token is for reading only; or, without tokens, the request came by way of a foreign web page.",
    "404": "There is no such pipeline; or the call names none, and the process has several.",
    "408": "The request's body was too slow.",
    "409": "Not now: something else is under way, or another process has the pipeline.",
    "413": "The request's body is too large.",
    "415": "The request's body is not sent as JSON: `Content-Type: application/json` is missing.",
    "422": "The request is not understood; `errors` lists what was expected.",
    "500": "The service failed; its log says where.",
    "503": "Not now: too many requests, or a table did not answer. `Retry-After` says when to ask again.",
}
_NEVER_ANSWERED = ("HTTPValidationError", "ValidationError")
"""The framework's own 422; here it is a `Problem`."""
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}


def document(app: FastAPI, needs_token: bool) -> Callable[[], dict[str, Any]]:
    """A function that makes the document once, for the app's `openapi`. It asks for a token only where one is set."""

    @functools.cache
    def make() -> dict[str, Any]:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary="The admin API of dynamirror.",
            description=_DESCRIPTION,
            routes=app.routes,
        )
        return _completed(found, needs_token)

    return make


def _completed(found: dict[str, Any], needs_token: bool) -> dict[str, Any]:
    _, definitions = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _NEVER_ANSWERED:
        schemas.pop(name, None)
    for schema in schemas.values():
        _widen_integers(schema)
    schemas.update(definitions["$defs"])
    if needs_token:
        text = "The value of DYNAMIRROR_ADMIN_TOKEN or, for reading, of DYNAMIRROR_READ_TOKEN."
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": text}}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _complete(path, method.upper(), operation, needs_token, schemas)
    return found


def _widen_integers(schema: dict[str, Any]) -> None:
    """A count may have more than the 32 bits that generated clients take where no format is told."""
    for field in schema.get("properties", {}).values():
        for each in field.get("anyOf", [field]):
            if each.get("type") == "integer":
                each["format"] = "int64"


def _complete(path: str, method: str, operation: dict[str, Any], needs_token: bool, schemas: dict[str, Any]) -> None:
    is_free = is_open(path, ["{name}"])
    if needs_token and not is_free:
        operation["security"] = [{"token": []}]
    if path.startswith("/pipelines/"):
        operation["tags"] = [f"pipeline {tag}" for tag in operation["tags"]]
    left_out = {"408", "413"} if method in READING_METHODS else set()
    if is_free:
        left_out |= {"409"} | ({"404"} if "{name}" not in path else set())
    if is_free and "{name}" not in path or not needs_token:
        left_out |= {"401"}
    if "requestBody" not in operation:
        left_out |= {"415"}
    answers = operation["responses"]
    for status, text in _TEXTS.items():
        if status not in left_out:
            answers.setdefault(status, {"description": text})
    for status, answer in answers.items():
        if int(status) >= 400:
            answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        if status == "401":
            answer["headers"] = _CHALLENGE
    add_examples(path, method, operation, schemas)
