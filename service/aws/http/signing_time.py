"""The SDK signs with its endpoint's own time, as the wire does: a machine whose clock is hours off is let in.

botocore's signer takes the machine's clock; of the names of signatures that it knows, one more is its own with another
time. The answers tell the time: a first request that is refused for its time already tells it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, SigV4Auth

from service.aws.http.server_time import ServerTime

_VERSION = "v4-at-the-time-of-the-service"
_SIGNS_AT = "dynamirror_signs_at"
_ASKED_AT = "dynamirror_asked_at"


class _TimedAuth(SigV4Auth):
    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = time.strftime(SIGV4_TIMESTAMP, time.gmtime(request.context[_SIGNS_AT]))
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # the stubs leave it out


AUTH_TYPE_MAPS[_VERSION] = _TimedAuth


def keep_time(client: Any, endpoint: ServerTime, now: Callable[[], float]) -> None:
    """From now on this SDK client signs at the time that `now` tells, and its answers tell `endpoint` theirs."""

    def choose(signature_version: str, context: dict[str, Any], **_: Any) -> str | None:
        context[_SIGNS_AT], context[_ASKED_AT] = now(), endpoint.steady()
        return _VERSION if signature_version == "v4" else None

    def received(response_dict: Any, parsed_response: Any, context: dict[str, Any], **_: Any) -> None:
        if response_dict is None:
            return
        code = parsed_response.get("Error", {}).get("Code", "")
        if not code.isdigit():  # an error without a code has its status there: it need not be the service's
            endpoint.heard(response_dict["headers"].get("date"), context[_ASKED_AT])

    client.meta.events.register_first("choose-signer", choose)
    client.meta.events.register("response-received", received)
