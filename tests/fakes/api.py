"""The admin API on a fake console, called without a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.hardening import Limits
from api.routes.dashboard import PAGE
from service.events import AuditEvent, RequestSeen
from service.operations.console import Consoles
from tests.fakes.console import FakeConsole
from tests.fakes.one_console import OneConsole

NAME = "master-table--replica-table"
ADMIN = "the-admin-token"
READ = "the-read-token"
METRICS = b"# TYPE dynamirror_lag_seconds gauge\ndynamirror_lag_seconds 1.5\n"


@dataclass
class FakeApi:
    """The app, with all that it told its observers."""

    console: FakeConsole = field(default_factory=FakeConsole)
    consoles: Consoles | None = None
    """Of several pipelines; without it there is one, and it is `console`'s."""
    admin_token: str | None = None
    read_token: str | None = None
    limits: Limits = field(default_factory=Limits)
    dashboard_page: Path = PAGE
    version: str = "0.1.0"
    audited: list[AuditEvent] = field(default_factory=list)
    seen: list[RequestSeen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app: FastAPI = create_app(
            OneConsole(self.console, NAME) if self.consoles is None else self.consoles,
            version=self.version,
            admin_token=self.admin_token,
            read_token=self.read_token,
            metrics=lambda name: METRICS.splitlines(keepends=True) if name is None else [f"of {name}".encode()],
            audit=self.audited.append,
            observe=self.seen.append,
            limits=self.limits,
            dashboard_page=self.dashboard_page,
        )

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client; with `async with`, or for one call as `call` makes it."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers)

    async def call(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """One request. `headers` and `json`, `content` as httpx has them."""
        async with self.client(token, **options.pop("headers", {})) as client:
            return await client.request(method, path, **options)


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem that the answer tells of; fails if it is not a well-formed one."""
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == response.status_code
    assert {"type", "title", "status", "detail"} <= found.keys()
    assert found["type"].startswith("urn:dynamirror:problem:")
    return found
