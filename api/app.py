"""The admin API, put together: routes on a console, behind the front door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import Depends, FastAPI

from api import error_handlers, openapi, reference
from api.audit import Audit
from api.auth import Tokens
from api.limits import Limits
from api.middleware import Observe, RequestMiddleware
from api.queries import refuse_unknown
from api.routes import dashboard, dead_letters, flow, health, redrives, replays, snapshots, verifications
from service.operations.console import Console


def create_app(
    console: Console,
    *,
    version: str,
    admin_token: str | None,
    read_token: str | None,
    metrics: Callable[[], bytes],
    audit: Audit,
    observe: Observe,
    limits: Limits | None = None,
    dashboard_page: Path = dashboard.PAGE,
) -> FastAPI:
    """The API as an ASGI app without a lifespan; serve it with api.server.

    `metrics` gives Prometheus text; `audit` is told of every call that changes something, `observe` of every call.
    Both are called in the event loop and must not block.
    """
    tokens = Tokens.of(admin_token, read_token)
    app = FastAPI(
        title="dynamirror",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown)],
    )
    app.include_router(dashboard.build(dashboard_page))
    app.include_router(health.build(console))
    app.include_router(flow.build(console, metrics))
    app.include_router(replays.build(console))
    app.include_router(snapshots.build(console))
    app.include_router(verifications.build(console))
    app.include_router(dead_letters.build(console))
    app.include_router(redrives.build(console))
    # FastAPI's own way to extend the document, whatever its types say.
    app.openapi = openapi.document(app, needs_token=not tokens.is_open)  # type: ignore[method-assign]  # see above
    app.include_router(reference.build(app.openapi))
    error_handlers.install(app)
    app.add_middleware(
        RequestMiddleware,
        tokens=tokens,
        limits=limits or Limits(),
        write_audit=audit,
        observe=observe,
    )
    return app
