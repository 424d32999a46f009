"""Examples of what the API takes and gives, for its OpenAPI document: made of its schemas, whose fields show some."""

from __future__ import annotations

import http
from typing import Any

from api.problems import TYPES

_AT = "2026-11-23T10:15:00Z"
_LETTER_ID = "000001100000000017454423009"
PARAMETERS: dict[str, Any] = {"id": "20261123T101500-3f9c", "limit": 100, "cursor": _LETTER_ID, "since": _AT}
"""Of a path of dead letters, an `id` is a letter's."""
_CANCELLED = {"state": "cancelled", "finished_at": _AT, "per_second": None, "seconds_left": None}
_TEXTS = {
    "text/plain": '# TYPE dynamirror_lag_seconds gauge\ndynamirror_lag_seconds{pipeline="orders"} 0.0\n',
    "text/html": "<!doctype html><title>dynamirror</title>",
}
_PLAIN = {"string": "", "integer": 0, "number": 0.0, "boolean": False}

Schema = dict[str, Any]


def add_examples(path: str, method: str, operation: dict[str, Any], schemas: Schema) -> None:
    """To every parameter, body and answer of a call that has none yet. `schemas` are the document's, by their names."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in PARAMETERS:
            of_a_letter = parameter["name"] == "id" and "/dead-letters/" in path
            parameter["example"] = _LETTER_ID if of_a_letter else PARAMETERS[parameter["name"]]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "examples" not in content:
            schema: Schema = content["schema"]
            content["example"] = _of(schema.get("anyOf", [schema])[0], schemas)
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            if int(status) >= 400:
                content["example"] = _problem(int(status), answer["description"])
            else:
                shown: Any = _TEXTS.get(media_type) or _of(content["schema"], schemas)
                content["example"] = {**shown, **_CANCELLED} if method == "DELETE" else shown


def _problem(status: int, detail: str) -> dict[str, Any]:
    kind, title = f"urn:dynamirror:problem:{TYPES[status]}", http.HTTPStatus(status).phrase
    return {"type": kind, "title": title, "status": status, "detail": detail}


def _of(schema: Schema, schemas: Schema) -> Any:
    """The first that the schema gives itself; else null where that may be, else one of its parts."""
    if "examples" in schema:
        return schema["examples"][0]
    for name in ("default", "const"):
        if name in schema:
            return schema[name]
    if "$ref" in schema:
        return _of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else _of(schema["anyOf"][0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _of(field, schemas) for name, field in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_of(schema["items"], schemas)]
    return _AT if schema.get("format") == "date-time" else _PLAIN.get(schema.get("type", ""))
