"""The emulator behind the proxy: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import aiohttp
import orjson

from tests.servers import CREDENTIALS, post
from tests.support.chaos.answers import Answer
from tests.support.chaos.virtual_stream import RefusalError

T = TypeVar("T")
_CREDENTIAL = re.compile(r"Credential=[^/]*/")


async def ask_stream(http: aiohttp.ClientSession, endpoint_url: str, operation: str, request: dict[str, Any]) -> Any:
    async def ask() -> Any:
        return await post(endpoint_url, operation, request, service="dynamodbstreams", http=http)

    answer = await _answered(ask)
    if answer.status != 200:
        raise RefusalError(answer.json().get("__type", "").rpartition("#")[2], str(answer.body))
    return orjson.loads(answer.body)


async def forward(http: aiohttp.ClientSession, endpoint_url: str, given: Mapping[str, str], body: bytes) -> Answer:
    names: Iterable[str] = ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date")
    headers = {name: given[name] for name in names if name in given}
    # The emulator keeps an account's tables by the access key, and looks at nothing else of a signature.
    own = f"Credential={CREDENTIALS['aws_access_key_id']}/"
    headers["Authorization"] = _CREDENTIAL.sub(own, headers.get("Authorization", ""))

    async def ask() -> Answer:
        async with http.post(endpoint_url + "/", data=body, headers=headers) as answer:
            return Answer(answer.status, await answer.read(), answer.content_type)

    return await _answered(ask)


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    for attempt in (1, 2, 3):
        with contextlib.suppress(aiohttp.ServerDisconnectedError):  # a kept connection that the emulator closed
            return await ask()
        await asyncio.sleep(0.01 * attempt)
    raise ConnectionError("the emulator hangs up")
