"""`/docs`: Swagger UI on the OpenAPI document. `/troubleshooting`: docs/troubleshooting.md as a page.

Swagger's files come from a package that carries them, so nothing is loaded from elsewhere, and its page may speak to
this API alone: a token that is entered stays in the tab.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response, StreamingResponse

from api.problems import problem
from api.routes.dashboard import PAGE, assembled, content_security_policy

DOCS, TROUBLESHOOTING = PAGE.with_name("docs.html"), PAGE.with_name("troubleshooting.html")

_TYPES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_CHUNK_BYTES = 64 * 1024

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def show_docs() -> Response:
    return _shown(DOCS, files_from="'self'")


@router.get("/docs/{file}")
async def show_file(file: str) -> Response:
    """Swagger UI's own, byte for byte; in pieces, so that a client who does not fetch it holds little memory."""
    if file not in _TYPES:
        raise HTTPException(404)
    return StreamingResponse(
        _pieces(_content(file)), media_type=_TYPES[file], headers={"cache-control": "max-age=3600"}
    )


@functools.cache
def _content(file: str) -> bytes:
    return (resources.files("fastapi_swagger") / "resources" / file).read_bytes()


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK_BYTES):
        yield content[start : start + _CHUNK_BYTES]


@router.get("/troubleshooting")
async def show_troubleshooting() -> Response:
    """What docs/troubleshooting.md says; the dashboard's advice leads to its sections."""
    if not TROUBLESHOOTING.is_file():
        return problem(404, "This package was built without the page; docs/troubleshooting.md has the same.")
    return _shown(TROUBLESHOOTING)


def _shown(page: Path, files_from: str = "") -> Response:
    html, policy = _assembled(page, files_from)
    return HTMLResponse(html, headers={"content-security-policy": policy})


@functools.cache
def _assembled(page: Path, files_from: str) -> tuple[str, str]:
    html = assembled(page)
    return html, content_security_policy(html, files_from)
