"""What keeps one client, or a page in an operator's browser, from harming the flow, which shares the event loop.

Connections are bounded in `api.connections`; this is about requests. uvicorn bounds heads and kept connections. The
attacks are tests: tests/unit/api/test_limits.py and test_browsers.py, tests/integration/api/test_api_server.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from api.auth import changes_something
from service.configuration.hosts import is_loopback

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?")
_OWN_SITES = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them together, may take. Rates hold for each kind of caller by itself."""

    max_body_bytes: int = 64 * 1024
    max_head_bytes: int = 16 * 1024
    max_connections: int = 128
    head_seconds: float = 10
    """From the opening of a connection to its first whole request head."""
    body_seconds: float = 10
    max_discarded_bytes: int = 1024 * 1024
    """How much of a refused request's body is read away before it is answered."""
    discard_seconds: float = 1
    request_seconds: float = 60
    """How long the work for a request may take; then it is interrupted."""
    answer_seconds: float = 30
    """How long a client may take to fetch an answer; it bounds a kept connection's next request head too."""
    keep_alive_seconds: int = 5
    requests_per_second: float = 100
    burst: int = 50
    max_wait_seconds: float = 1
    """A request over the rate waits this long at most; one that would wait longer is refused after this time."""


class Pace:
    """Lets requests through at a steady rate, in the order they came, after a burst.

    What is over the rate waits instead of being refused, and even a refusal takes its time: so a flood costs the event
    loop the rate plus one request a connection each `max_wait_seconds`, whatever it sends.
    """

    def __init__(self, limits: Limits) -> None:
        self._seconds_each = 1 / limits.requests_per_second
        self._slack = limits.burst / limits.requests_per_second
        self._max_wait = limits.max_wait_seconds
        self._next_at = float("-inf")

    async def admit(self) -> bool:
        """Wait for a turn. False: there is none within `max_wait_seconds`, which have passed now."""
        now = asyncio.get_running_loop().time()
        due = max(self._next_at, now - self._slack)
        if due - now > self._max_wait:
            await asyncio.sleep(self._max_wait)
            return False
        self._next_at = due + self._seconds_each
        if due > now:
            await asyncio.sleep(due - now)
        return True


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The whole body, chunked or not; no more than the limit of it is kept in memory.

    Raises HTTPException when it is too large (413) or too slow (408), ClientDisconnect when nobody is left to answer.
    """
    too_large = HTTPException(413, f"A request's body may have {limits.max_body_bytes} bytes at most.")
    announced = Headers(scope=scope).get("content-length", "0")
    if not announced.isdigit() or int(announced) > limits.max_body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in Request(scope, receive).stream():
                body += part
                if len(body) > limits.max_body_bytes:
                    raise too_large
    except TimeoutError as error:
        raise HTTPException(408, f"The request's body was not here within {limits.body_seconds:g} seconds.") from error
    return bytes(body)


async def discard_body(scope: Scope, receive: Receive, limits: Limits) -> None:
    """Read what a refused request still sends, and keep none of it; up to a size and within a time.

    A connection that is closed over unread bytes is reset, and the client loses the answer that says why.
    """
    remaining = limits.max_discarded_bytes
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(limits.discard_seconds):
            async for part in Request(scope, receive).stream():
                remaining -= len(part)
                if remaining <= 0:
                    return


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out the body that was read, then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


class SecuredSend:
    """A `send` that adds these headers where a route has not set its own, and remembers the status."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        """0 until the answer has begun."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def browsers_objection(scope: Scope) -> str | None:
    """Why an API without tokens does not trust this request; None if it does.

    Whoever reaches loopback may do everything there, and a web page in a browser reaches it. A name of an attacker's
    that resolves to 127.0.0.1 (DNS rebinding) shows in `Host`; a page of another origin shows in `Sec-Fetch-Site` and
    `Origin`, which pages can't forge. With tokens neither matters: no browser adds a bearer token by itself. Starlette
    refuses hosts too, but knows no 127.0.0.0/8, and answers with plain text. `/healthz` tells nothing, so it is free.
    """
    if scope["path"] == "/healthz":
        return None
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback_host(host):
        return (
            "Without DYNAMIRROR_ADMIN_TOKEN this API answers to loopback names only, such as localhost or 127.0.0.1; "
            "the request's Host is another one."
        )
    if not changes_something(scope):
        return None
    own_origin = f"{scope['scheme']}://{host}".lower()
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin", own_origin)
    if site not in _OWN_SITES or origin.lower() != own_origin:
        return "Without DYNAMIRROR_ADMIN_TOKEN this API takes no change that a page of another origin asks for."
    return None


def is_loopback_host(host: str) -> bool:
    """True for a `Host` that can only mean this machine: `localhost` and names under it, and loopback addresses."""
    matched = _HOST.fullmatch(host)
    if matched is None:
        return False
    name = matched[1].lower()
    return name.endswith(".localhost") or is_loopback(name)
