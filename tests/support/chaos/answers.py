"""HTTP answers as DynamoDB gives them, and how a connection breaks instead."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
import zlib
from dataclasses import dataclass
from email.utils import formatdate

import orjson
from aiohttp import web

_HANG_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.0"
    has_checksum: bool = True
    clock_offset_seconds: float = 0.0
    """How far the service's clock is ahead of ours."""

    @property
    def headers(self) -> dict[str, str]:
        date = formatdate(time.time() + self.clock_offset_seconds, usegmt=True)
        headers = {"Content-Type": self.content_type, "Date": date}
        if self.has_checksum:
            headers["x-amz-crc32"] = str(zlib.crc32(self.body))
        return headers


def ok(body: bytes) -> Answer:
    return Answer(200, body)


def error(code: str, message: str, status: int) -> Answer:
    """In the services' own form."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Answer(status, orjson.dumps(body))


def foreign() -> Answer:
    """What a middlebox answers in DynamoDB's place."""
    return Answer(200, b"<html><body>Please sign in to this network</body></html>", "text/html", has_checksum=False)


async def send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """The client sees its connection reset; whatever is returned here reaches nobody."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            # Linger for zero seconds: the kernel sends RST rather than FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def truncated(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """The head and half of the body, then the end."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body) + 1
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def cut_chunks(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """The head and a first chunk, then the end; how long the body would have been is told nowhere."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(answer.body[: max(1, len(answer.body) // 2)])
    if request.transport is not None:
        request.transport.close()
    return response


async def hang_up(request: web.BaseRequest) -> None:
    """Answer nothing until the client has had enough."""
    await asyncio.sleep(_HANG_SECONDS)
