"""A request's body: read whole before anything looks at it, up to a size and within a time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from api.limits import Limits


class BodyTooLargeError(Exception):
    """More than the limit was announced, or came."""


class BodyTooSlowError(Exception):
    """The body was not there in time."""


class ClientGoneError(Exception):
    """The client left while its body was read: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The whole body, at most `max_body_bytes` of it; chunked or not. No more than the limit is kept in memory."""
    announced = Headers(scope=scope).get("content-length", "0")
    if not announced.isdigit() or int(announced) > limits.max_body_bytes:
        raise BodyTooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                body += message.get("body", b"")
                if len(body) > limits.max_body_bytes:
                    raise BodyTooLargeError
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise BodyTooSlowError from error


async def discard_body(receive: Receive, limits: Limits) -> None:
    """Read what a refused request still sends, and keep none of it; up to a size and within a time.

    A connection that is closed over unread bytes is reset, and the client loses the answer that says why.
    """
    remaining = limits.max_discarded_bytes
    try:
        async with asyncio.timeout(limits.discard_seconds):
            while remaining > 0:
                message = await receive()
                remaining -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out the body that was read, then whatever comes after it."""
    is_handed_out = False

    async def receive_again() -> Message:
        nonlocal is_handed_out
        if is_handed_out:
            return await receive()
        is_handed_out = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
