"""A middlebox before an emulator: of all answers, some are replaced by a page, cut short, or reset.

    async with Middlebox(server, seed=1) as box:
        ...  # box.server is the emulator as it is seen through it

Or the emulator lives at another time: `seconds_ahead` of this machine it dates its answers and its stream's records,
and refuses signatures as AWS does. Otherwise it forwards bytes, and knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Self

import aiohttp
from aiohttp import web

from tests.servers import Server

PAGE = b"<html><body>Please sign in</body></html>"
CHANCES = {"page": 0.02, "cut": 0.02, "reset": 0.05}
SIGNATURES_HOLD_SECONDS = 300  # IAM User Guide, "Create a signed AWS API request"
REFUSED = b'{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired: it is late"}'
_CREATED = re.compile(rb'("ApproximateCreationDateTime": ?)([0-9.e+]+)')


Refusal = Callable[[str, bytes], Awaitable[bytes | None]]
"""The error that answers a request of this operation and body, which the emulator does not see then."""


async def _none(operation: str, asked: bytes) -> None:
    return None


class Middlebox:
    """`counted` tells what it did to the answers."""

    def __init__(
        self,
        behind: Server,
        *,
        seed: int = 0,
        seconds_ahead: float | None = None,
        chances: Mapping[str, float] = CHANCES,
    ) -> None:
        self._behind = behind
        self._random = random.Random(seed)
        self._seconds_ahead = seconds_ahead
        self._chances = chances
        self.refuses_all = False
        """Whatever a signature says."""
        self.refusal: Refusal = _none
        self.hangs = False
        """It accepts whatever is sent, and answers nothing any more."""
        self.counted: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        self.server = replace(self._behind, endpoint_url=f"http://127.0.0.1:{port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        asked = await request.content.read()
        if self.hangs:
            self.counted["hung"] += 1
            await asyncio.Event().wait()
        if refusal := await self.refusal(request.headers.get("X-Amz-Target", "").rpartition(".")[2], asked):
            self.counted["refused"] += 1
            return _dated(400, refusal, 0)
        if self._seconds_ahead is not None and self._is_refused(request, self._seconds_ahead):
            self.counted["refused"] += 1
            return _dated(400, REFUSED, self._seconds_ahead)
        async with self._http.post(self._behind.endpoint_url + request.path, data=asked, headers=headers) as answer:
            status, body, passed = answer.status, await answer.read(), dict(answer.headers)
        if self._seconds_ahead is not None:
            return _dated(status, body, self._seconds_ahead)
        for name in ("Content-Length", "Transfer-Encoding", "Connection"):
            passed.pop(name, None)
        match self._fault():
            case "page":
                return web.Response(status=200, body=PAGE, content_type="text/html")
            case "cut":  # a length that fits, so that only the body tells
                return web.Response(status=status, body=body[: len(body) // 2], content_type="text/plain")
            case "reset":
                return _reset(request)
        return web.Response(status=status, body=body, headers=passed)

    def _is_refused(self, request: web.BaseRequest, seconds_ahead: float) -> bool:
        signed_at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds_off = abs(signed_at.timestamp() - time.time() - seconds_ahead)
        return self.refuses_all or seconds_off > SIGNATURES_HOLD_SECONDS

    def _fault(self) -> str | None:
        drawn = self._random.random()
        for fault, chance in self._chances.items():
            if drawn < chance:
                self.counted[fault] += 1
                return fault
            drawn -= chance
        return None


def _dated(status: int, body: bytes, seconds_ahead: float) -> web.Response:
    body = _CREATED.sub(lambda found: b"%b%d" % (found[1], float(found[2]) + seconds_ahead), body)
    date = formatdate(int(time.time() + seconds_ahead), usegmt=True)
    return web.Response(status=status, body=body, headers={"Date": date, "x-amz-crc32": str(zlib.crc32(body))})


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
