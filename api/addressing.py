"""Which pipeline a call is about: the one that its path names, or the only one of the process.

Every call of a pipeline is there twice, as `/status` and as `/pipelines/{name}/status`. A name may hold slashes.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict

from service.operations.console import Console, Consoles, NotFoundError
from service.operations.documents.status import Status

NAMED = "/pipelines/{name:path}"
"""What stands before a call's path where it names its pipeline."""


class NoParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


async def no_parameters(parameters: Annotated[NoParameters, Query()]) -> None:
    """A dependency of every call that has no query parameters: unknown ones are refused, like unknown fields."""


def consoles_of(request: Request) -> Consoles:
    found: Consoles = request.app.state.consoles
    return found


async def named(
    name: Annotated[str, Path(description="The pipeline's name.", examples=["master-table--replica-table"])],
    request: Request,
) -> None:
    """A dependency that puts the name into the OpenAPI document. Raises NotFoundError for one that is none."""
    consoles_of(request).of(name)


async def asked(request: Request) -> Console:
    """The console that the call is about. Raises NotFoundError that says where to look."""
    consoles, name = consoles_of(request), request.path_params.get("name")
    console = consoles.only() if name is None else consoles.of(name)
    if console is None:
        here = f"/pipelines/NAME{request.scope['path']}"
        raise NotFoundError(
            f"This process runs {len(consoles.names())} pipelines; ask {here}; the names are at /pipelines."
        )
    request.state.pipeline = name or consoles.names()[0]
    return console


Asked = Annotated[Console, Depends(asked)]


def place(request: Request, path: str) -> str:
    """The path of something of the same pipeline."""
    name = request.path_params.get("name")
    return path if name is None else f"/pipelines/{quote(name)}{path}"


_CALL = re.compile(r"\b(GET|POST|DELETE) /(?!pipelines\b|reload\b)")


def addressed(text: str, name: str, consoles: Consoles) -> str:
    """With its calls, such as `POST /resume`, at the pipeline's own path: of several pipelines they have no other."""
    if len(consoles.names()) == 1:
        return text
    return _CALL.sub(lambda call: f"{call[1]} /pipelines/{quote(name)}/", text)


def status_addressed(status: Status, request: Request) -> Status:
    """With every sentence addressed. For a call that is about one pipeline, after `asked`."""
    each = partial(addressed, name=request.state.pipeline, consoles=consoles_of(request))
    changed: dict[str, object] = {
        "reason": each(status.reason) if status.reason else status.reason,
        "warnings": [each(text) for text in status.warnings],
        "gaps": [gap.model_copy(update={"reason": each(gap.reason)}) for gap in status.gaps],
        "refused": {call: each(text) for call, text in status.refused.items()},
    }
    return status.model_copy(update=changed)


def operation_id(route: Any) -> str:
    """The function's name, which is a client's name for the call: `get_status`."""
    return str(route.name)


def named_operation_id(route: Any) -> str:
    """`get_pipeline_status`, `pause_pipeline`."""
    verb, *rest = operation_id(route).split("_")
    return "_".join([verb, "pipeline", *rest])
