"""The admin API, put together: routes on the consoles of a process, behind the front door."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fastapi import Depends, FastAPI

from api import openapi, problems
from api.addressing import NAMED, named, named_operation_id, operation_id
from api.audit import Audit
from api.auth import Tokens
from api.hardening import Limits
from api.middleware import Observe, RequestMiddleware
from api.routes import dashboard, dead_letters, docs, flow, health, history, jobs, pipelines
from service.operations.console import Consoles


def create_app(
    consoles: Consoles,
    *,
    version: str,
    admin_token: str | None,
    read_token: str | None,
    metrics: Callable[[str | None], Iterable[bytes]],
    audit: Audit,
    observe: Observe,
    limits: Limits | None = None,
    dashboard_page: Path = dashboard.PAGE,
) -> FastAPI:
    """The API as an ASGI app without a lifespan; serve it with api.server.

    `metrics` gives Prometheus text in pieces, of one pipeline or of all; `audit` is told of every call that changes
    something, `observe` of every call. All are called in the event loop and must not block.
    """
    tokens = Tokens.of(admin_token, read_token)
    app = FastAPI(title="dynamirror", version=version, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.consoles, app.state.metrics = consoles, metrics
    calls = (health.router, flow.router, history.router, jobs.router, dead_letters.router)
    app.include_router(pipelines.router, generate_unique_id_function=operation_id)
    for router in (dashboard.build(dashboard_page), *calls):
        app.include_router(router, generate_unique_id_function=operation_id)
        app.include_router(
            router, prefix=NAMED, dependencies=[Depends(named)], generate_unique_id_function=named_operation_id
        )
    # FastAPI's own way to extend the document, whatever its types say.
    app.openapi = openapi.document(app, needs_token=not tokens.is_open)  # type: ignore[method-assign]  # see above
    app.include_router(docs.router)
    problems.install(app)
    app.add_middleware(
        RequestMiddleware,
        consoles=consoles,
        tokens=tokens,
        limits=limits or Limits(),
        write_audit=audit,
        observe=observe,
    )
    return app
