"""The dashboard's page: one document, put together from its files. It asks for the token itself, so all may have it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from api.addressing import no_parameters
from api.problems import problem

PAGE = Path(__file__).parent.parent / "dashboard" / "index.html"
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w-]+\.css)">')
_SCRIPT = re.compile(r'<script src="([\w-]+\.js)"></script>')


def build(page: Path = PAGE) -> APIRouter:
    """The page and its files are read once, now."""
    router = APIRouter(tags=["dashboard"], dependencies=[Depends(no_parameters)])
    html = assembled(page) if page.is_file() else None
    policy = content_security_policy(html or "")

    @router.get("/", response_class=HTMLResponse, responses={404: {"description": "This package has no dashboard."}})
    async def get_dashboard() -> Response:
        """The dashboard: all pipelines, or the one that the path names."""
        if html is None:
            return problem(404, "This package was built without the dashboard; /docs lists the API's calls.")
        return HTMLResponse(html, headers={"content-security-policy": policy})

    return router


def assembled(page: Path) -> str:
    """The page with its style sheets and scripts in the place of their references, so that it loads nothing.

    The scripts share one scope, in their order. Raises OSError if a file is missing.
    """

    def content(reference: re.Match[str]) -> str:
        return (page.parent / reference[1]).read_text(encoding="utf-8")

    html = page.read_text(encoding="utf-8")
    html = _STYLE.sub(lambda reference: f"<style>\n{content(reference)}</style>", html)
    return _SCRIPT.sub(lambda reference: f"<script>\n{content(reference)}</script>", html)


def content_security_policy(html: str, own: str = "") -> str:
    """Lets the page run and look as it was shipped, talk to this API, and nothing else.

    Inline scripts and style sheets are allowed by their hash, so one that is injected does not run. `style`
    attributes and event attributes are refused. `own` is where files may come from beside that.
    """
    scripts = _hashes(html, "script", own)
    styles = _hashes(html, "style", own)
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(html: str, element: str, own: str) -> str:
    contents = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", html, re.DOTALL | re.IGNORECASE)
    digests = (base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents if content)
    return " ".join([*own.split(), *(f"'sha256-{digest}'" for digest in digests)]) or "'none'"
