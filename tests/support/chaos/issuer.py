"""Credentials that hold for seconds: given as a container and as STS give them, refused once they are old.

The SDK renews credentials 15 minutes before they end (botocore, credentials: `_advisory_refresh_timeout`), so those
that are to be renewed after a few seconds are told to hold 15 minutes more; here they are refused all the same.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from xml.sax.saxutils import escape

from aiohttp import web

from tests.support.chaos.answers import Answer, error

_ADVISORY_SECONDS = 15 * 60
_ROLE_ANSWER = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>\
<AccessKeyId>{AccessKeyId}</AccessKeyId><SecretAccessKey>{SecretAccessKey}</SecretAccessKey>\
<SessionToken>{Token}</SessionToken><Expiration>{Expiration}</Expiration></Credentials></AssumeRoleResult>\
</AssumeRoleResponse>"""


class Issuer:
    """`async with` it. A key is renewed after `seconds` and refused after `grace_seconds` more."""

    def __init__(self, *, seconds: float, grace_seconds: float) -> None:
        self._seconds = seconds
        self._grace_seconds = grace_seconds
        self._issued: dict[str, tuple[str, float]] = {}
        self.used: Counter[str] = Counter()
        """Requests let in, by access key."""
        self.refused: list[str] = []
        self.is_away = False

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/container", self._container)
        application.router.add_post("/", self._role)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """For a process that has no credentials but these."""
        return {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/container",
            "AWS_ENDPOINT_URL_STS": self.url,
        }

    def issued(self, kind: str) -> int:
        return sum(key.startswith(kind) for key in self._issued)

    def used_of(self, kind: str) -> int:
        """How many keys of a kind a request came with."""
        return sum(key.startswith(kind) for key in self.used)

    def _new(self, kind: str) -> dict[str, str]:
        key = f"{kind}{len(self._issued)}"
        self._issued[key] = (f"token-{key}", time.monotonic())
        ends = datetime.now(UTC) + timedelta(seconds=_ADVISORY_SECONDS + self._seconds)
        return {
            "AccessKeyId": key,
            "SecretAccessKey": f"secret-{key}",
            "Token": f"token-{key}",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    async def _container(self, request: web.Request) -> web.Response:
        if self.is_away:
            return web.Response(status=503)
        return web.json_response(self._new("CONTAINER"))

    async def _role(self, request: web.Request) -> web.Response:
        refusal = self.judge(request.headers)
        if self.is_away or refusal is not None:
            return web.Response(status=503)
        answer = _ROLE_ANSWER.format(**{name: escape(value) for name, value in self._new("ROLE").items()})
        return web.Response(text=answer, content_type="text/xml")

    def judge(self, headers: Mapping[str, Any]) -> Answer | None:
        """None lets the request in."""
        found = re.search(r"Credential=([^/]+)/", headers.get("Authorization", ""))
        key = found[1] if found else "none"
        token, issued_at = self._issued.get(key, ("", float("-inf")))
        if time.monotonic() - issued_at > self._seconds + self._grace_seconds:
            self.refused.append(key)
            return error("ExpiredTokenException", "The security token included in the request is expired", 400)
        if headers.get("X-Amz-Security-Token") != token:
            self.refused.append(key)
            return error("UnrecognizedClientException", "The security token included in the request is invalid", 400)
        self.used[key] += 1
        return None
