"""The front door: all that happens to a request before a route sees it, in this order.

It waits for its turn, is checked for a browser's misuse and for its token, has its body read, and then the routes have
a bounded time for it. So nothing of a body is read for who may not call, and whatever fails on the way is answered
with a problem, counted, and, where it would have changed something, put into the audit log.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import audit
from api.auth import Caller, Tokens, access_header, changes_something, refusal_of
from api.hardening import (
    SECURITY_HEADERS,
    Limits,
    Pace,
    SecuredSend,
    browsers_objection,
    discard_body,
    read_body,
    replayed,
)
from api.problems import CLOSE, RETRY_AFTER, problem
from service.events import RequestSeen
from service.operations.console import Consoles

_log = logging.getLogger(__name__)
_PROBES = ("/healthz", "/readyz")
_FILES = "/docs/"
_COST_OF_A_FILE = 20
"""In other requests, about."""
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})

Observe = Callable[[RequestSeen], None]


@dataclass(eq=False)
class RequestMiddleware:
    """ASGI middleware; one for the whole API."""

    app: ASGIApp
    consoles: Consoles
    tokens: Tokens
    limits: Limits
    write_audit: audit.Audit
    observe: Observe

    def __post_init__(self) -> None:
        self._probes_pace = Pace(self.limits)
        # Large, and open to strangers.
        rate = self.limits.requests_per_second / _COST_OF_A_FILE
        self._files_pace = Pace(replace(self.limits, requests_per_second=rate))
        self._paces = {caller: Pace(self.limits) for caller in Caller}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        caller = self.tokens.caller(scope)
        answer = SecuredSend(send, SECURITY_HEADERS | access_header(caller))
        # The server leaves out the body of an answer to HEAD.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else dict(scope)
        inner["state"] = dict(scope.get("state", {})) | {"who": caller.value}
        try:
            await self._serve(inner, receive, answer, caller)
        except ClientDisconnect:
            pass
        except Exception as error:
            _log_crash(scope, error)
            if not answer.status:
                await problem(500, "The service failed at this request; its log says where.")(inner, receive, answer)
        finally:
            self._remember(inner, scope["method"], caller, answer.status, time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, answer: SecuredSend, caller: Caller) -> None:
        refusal, body = await self._refusal(scope, caller), b""
        if refusal is None:
            try:
                body = await read_body(scope, receive, self.limits)
            except HTTPException as error:
                refusal = problem(error.status_code, error.detail, CLOSE)
        if refusal is None:
            await self._work(scope, body, receive, answer)
        else:
            await discard_body(scope, receive, self.limits)
            await refusal(scope, receive, answer)

    def _pace_of(self, path: str, caller: Caller) -> Pace:
        if path.startswith(_FILES):
            return self._files_pace
        return self._probes_pace if path.endswith(_PROBES) else self._paces[caller]

    async def _refusal(self, scope: Scope, caller: Caller) -> Response | None:
        if not await self._pace_of(scope["path"], caller).admit():
            return problem(503, "Too many requests at once; try again later.", RETRY_AFTER)
        objection = browsers_objection(scope) if self.tokens.is_open else None
        if objection is not None:
            return problem(403, objection, CLOSE)
        return refusal_of(caller, scope, self.consoles.names())

    async def _work(self, scope: Scope, body: bytes, receive: Receive, answer: SecuredSend) -> None:
        try:
            async with asyncio.timeout(self.limits.request_seconds) as bound:
                await self.app(scope, replayed(body, receive), answer)
        except TimeoutError:
            if not bound.expired():
                raise
            if not answer.status:
                text = f"Not done within {self.limits.request_seconds:g} seconds; ask again, it may be repeated."
                await problem(503, text, RETRY_AFTER)(scope, receive, answer)

    def _remember(self, scope: Scope, method: str, caller: Caller, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        label = method if method in _METHODS else "OTHER"
        self.observe(RequestSeen(label, route, status, seconds, scope["state"].get("pipeline", "")))
        if changes_something(scope) and caller is not Caller.STRANGER:
            self.write_audit(audit.event_of(scope, caller.value, status))


def _log_crash(scope: Scope, error: Exception) -> None:
    """Without the error's text, which could hold an item's values; the frames say where it was."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s %s failed: %s\n%s", scope["method"], scope["path"], type(error).__name__, frames)
