"""A middlebox before an emulator: of all answers, some are replaced by a page, cut short, or reset.

    async with Middlebox(server, seed=1) as box:
        ...  # box.server is the emulator as it is seen through it

It forwards bytes, and knows nothing of what is asked.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter
from dataclasses import replace
from typing import Self

import aiohttp
from aiohttp import web

from tests.servers import Server

PAGE = b"<html><body>Please sign in</body></html>"


class Middlebox:
    def __init__(
        self, behind: Server, *, seed: int, page: float = 0.02, cut: float = 0.02, reset: float = 0.05
    ) -> None:
        self._behind = behind
        self._random = random.Random(seed)
        self._chances = {"page": page, "cut": cut, "reset": reset}
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
        url = self._behind.endpoint_url + request.path
        async with self._http.post(url, data=await request.content.read(), headers=headers) as answer:
            body, passed = await answer.read(), dict(answer.headers)
        for name in ("Content-Length", "Transfer-Encoding", "Connection"):
            passed.pop(name, None)
        self.counted["answers"] += 1
        match self._fault():
            case "page":
                return web.Response(status=200, body=PAGE, content_type="text/html")
            case "cut":  # a length that fits, so that only the body tells
                return web.Response(status=answer.status, body=body[: len(body) // 2], content_type="text/plain")
            case "reset":
                return _reset(request)
        return web.Response(status=answer.status, body=body, headers=passed)

    def _fault(self) -> str | None:
        drawn = self._random.random()
        for fault, chance in self._chances.items():
            if drawn < chance:
                self.counted[fault] += 1
                return fault
            drawn -= chance
        return None


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
