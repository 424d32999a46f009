"""From a document to an answer: its JSON is written once, and its model stands in the documentation alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Begun; `Location` is where to see its progress and result.",
        "headers": {"Location": {"description": "The job's path.", "required": True, "schema": {"type": "string"}}},
    }
}
"""For a route that begins a job."""


def rendered(document: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The document as JSON, by the names that the contract has for its fields."""
    body = document.model_dump_json(by_alias=True)
    return Response(body, status_code=status, headers=dict(headers or {}), media_type="application/json")


def accepted(document: BaseModel, path: str) -> Response:
    """202: the work goes on, at `path` is how far it is."""
    return rendered(document, 202, {"location": path})
