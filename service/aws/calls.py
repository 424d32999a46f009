"""One call whose answer is decoded, with its errors in the words of service.errors: DynamoDB's, or another service's.

What an answer lacks is never taken for "none": an answer without a member that it must have can't be read, and is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from service.aws.error_codes import Call
from service.aws.faults import UNREADABLE, translated
from service.aws.http.wire import Wire

Answer = TypeVar("Answer")
_OBJECT = msgspec.json.Decoder(dict[str, Any])


async def ask(wire: Wire, about: Call, read: Callable[[dict[str, Any]], Answer], **request: Any) -> Answer:
    """Make the call, once; `read` takes from its answer what the caller needs, by `[]` what must be there.

    Raises what service.aws.faults makes of everything else.
    """

    def understood(body: bytes) -> Answer:
        try:
            return read(_OBJECT.decode(body))
        except UNREADABLE as error:
            raise ValueError(type(error).__name__) from error

    return await wire.ask(about, json.dumps(request).encode(), understood)


async def ask_sdk(
    client: Any, method: str, about: Call, read: Callable[[dict[str, Any]], Answer], **request: Any
) -> Answer:
    """The same of a service that no wire leads to: Lambda, STS."""
    with translated(about):
        return read(await getattr(client, method)(**request))
