"""Who may: bearer tokens, compared in constant time, and what each of them opens.

Without any token everything is open; the settings then allow loopback only. With an admin token it is needed for
changes, and for reading too unless there is a read token. With a read token alone nobody may change anything: who
sets only that wants an API that is only read.

Open to all are the health checks, the dashboard's page (it asks for a token itself) and the documentation, which
carries no secret and which a browser could not send a token for.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Scope

from api.problems import CLOSE, problem

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/troubleshooting"})
OPEN_OF_A_PIPELINE = ("/", "/healthz", "/readyz")
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Caller(enum.StrEnum):
    """Who calls, as far as the token tells; the value is what the audit log says."""

    ADMIN = "admin"
    READER = "read"
    LOOPBACK = "somebody without a token"
    """There are no tokens, and so the API listens on loopback only."""
    STRANGER = "unknown"


def access_header(caller: Caller) -> dict[str, str]:
    """Tells a page which buttons may work; a stranger is told nothing."""
    if caller is Caller.STRANGER:
        return {}
    return {"dynamirror-access": "read" if caller is Caller.READER else "change"}


def changes_something(scope: Scope) -> bool:
    """True for every method that is not known to only read."""
    return scope["method"] not in READING_METHODS


def is_open(path: str, pipelines: Collection[str]) -> bool:
    """The path needs no token. A name that is none of the pipelines' opens nothing, and so tells nothing."""
    if path in OPEN_PATHS or path.startswith("/docs/"):
        return True
    after = path.removeprefix("/pipelines/")
    return after != path and any(
        after.endswith(end) and after.removesuffix(end) in pipelines for end in OPEN_OF_A_PIPELINE
    )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The configured tokens. Their values are in no log and in no text of an error."""

    admin: bytes | None = field(repr=False)
    read: bytes | None = field(repr=False)

    @classmethod
    def of(cls, admin: str | None, read: str | None) -> Tokens:
        return cls(admin.encode() if admin else None, read.encode() if read else None)

    @property
    def is_open(self) -> bool:
        return self.admin is None and self.read is None

    def caller(self, scope: Scope) -> Caller:
        """Who the request's token belongs to. Takes equally long for every wrong token of a length."""
        if self.is_open:
            return Caller.LOOPBACK
        given = _bearer(scope)
        is_admin = self.admin is not None and hmac.compare_digest(given, self.admin)
        is_reader = self.read is not None and hmac.compare_digest(given, self.read)
        if is_admin:
            return Caller.ADMIN
        return Caller.READER if is_reader else Caller.STRANGER


def refusal_of(caller: Caller, scope: Scope, pipelines: Collection[str]) -> Response | None:
    """Why this caller may not make this request. A path that nobody knows needs a token like any other."""
    if caller in (Caller.ADMIN, Caller.LOOPBACK) or is_open(scope["path"], pipelines):
        return None
    if caller is Caller.STRANGER:
        challenge = {"www-authenticate": 'Bearer realm="dynamirror"', **CLOSE}
        return problem(401, "Send the service's token: 'Authorization: Bearer TOKEN'.", challenge)
    if changes_something(scope):
        return problem(403, "This token is for reading; a change needs DYNAMIRROR_ADMIN_TOKEN's.", CLOSE)
    return None


def _bearer(scope: Scope) -> bytes:
    """The one bearer token that the request carries; empty without one, or with several."""
    given: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return b""
    scheme, _, token = given[0].strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""
