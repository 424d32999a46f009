"""Query parameters: those that a call does not have are refused, like unknown fields of a body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


async def refuse_unknown(request: Request) -> None:
    """A dependency of every route. Raises RequestValidationError that names each unknown or repeated parameter."""
    route = request.scope.get("route")
    known = {field.alias for field in route.dependant.query_params} if isinstance(route, APIRoute) else set()
    problems = list(_problems(request, known))
    if problems:
        raise RequestValidationError(problems)


def _problems(request: Request, known: set[str]) -> Iterator[dict[str, Any]]:
    expected = f"expected {', '.join(sorted(known))}" if known else "this call takes no query parameters"
    for name in dict.fromkeys(request.query_params.keys()):
        if name not in known:
            yield {"type": "unknown_parameter", "loc": ("query", name), "msg": f"unknown; {expected}"}
        elif len(request.query_params.getlist(name)) > 1:
            yield {"type": "repeated_parameter", "loc": ("query", name), "msg": "given more than once"}
