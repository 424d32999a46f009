"""The audit log's events: who changed what, when, and what came of it.

An event tells of each call that changes something and that came with enough of a token, or with one for reading only.
It carries no item value; a key is there as a digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from service.events import AuditEvent, key_digest
from service.model import ItemKey

_DETAILS = "audit_details"
Audit = Callable[[AuditEvent], None]


def note(request: Request, **details: Any) -> None:
    """Add what is asked for to the request's audit event. The caller sees to it that no item value is among it."""
    request.scope.setdefault("state", {})[_DETAILS] = {
        name: value for name, value in details.items() if value is not None
    }


def asker(request: Request) -> str:
    """Who asks, for a person: whose token it is, and the address that it came from."""
    who = request.scope["state"]["who"]
    return f"{who} from {request.client.host}" if request.client else str(who)


def event_of(scope: Scope, who: str, status: int) -> AuditEvent:
    client = scope.get("client")
    return AuditEvent(
        at=datetime.now(UTC),
        who=who,
        client=f"{client[0]}:{client[1]}" if client else "unknown",
        method=scope["method"],
        path=(scope.get("raw_path") or b"").decode("ascii", "backslashreplace"),
        status=status,
        details=scope.get("state", {}).get(_DETAILS, {}),
    )


def digest(keys: Mapping[str, Any]) -> str | None:
    """Stands for an item's key: 16 hex digits of the SHA-256 of its compact JSON, in the order it was given."""
    return key_digest(ItemKey(json.dumps(keys, separators=(",", ":"), ensure_ascii=False).encode()))
