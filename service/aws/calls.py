"""One call of the SDK, with its errors in the words of service.errors, and its answer read where it comes in.

What an answer lacks is never taken for "none": an answer without a member that it must have can't be read, and is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from service.aws.error_codes import Call
from service.aws.faults import UNREADABLE, answer_lost, stays_expired, translated
from service.errors import RefusedError

Answer = TypeVar("Answer")


async def ask(
    client: Any, method: str, about: Call, read: Callable[[dict[str, Any]], Answer], **request: Any
) -> Answer:
    """Make the call, once; `read` takes from its answer what the caller needs, by `[]` what must be there.

    Raises what service.aws.faults makes of everything else.
    """
    try:
        with translated(about):
            return read(await getattr(client, method)(**request))
    except UNREADABLE as error:  # of `read`, or of the SDK's own parser
        raise answer_lost(about, f"the answer can't be read ({type(error).__name__})", "Malformed") from error
    except RuntimeError as error:
        if not stays_expired(error):
            raise
        raise RefusedError(f"{about.operation} on {about.resource} can't be signed: {error}", "Expired") from error
