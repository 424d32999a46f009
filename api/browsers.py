"""Browsers as a way in: what a web page that an operator looks at can make the browser send to loopback.

Without tokens, whoever reaches loopback may do everything, and a browser reaches it. Two ways are closed here: a name
of the attacker's that resolves to 127.0.0.1 (DNS rebinding) shows in `Host`; a page of another origin shows in
`Sec-Fetch-Site` and `Origin`, which pages can't forge. With tokens neither matters: no browser adds a bearer token by
itself, and the API grants no other origin anything.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import Scope

from api.auth import changes_something
from service.configuration.hosts import is_loopback

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?")
_OWN_SITES = frozenset({"same-origin", "none"})


def objection(scope: Scope) -> str | None:
    """Why a token-less API does not trust this request; None if it does. `/healthz` tells nothing, so it is free."""
    if scope["path"] == "/healthz":
        return None
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback_host(host):
        return (
            "Without DYNAMIRROR_ADMIN_TOKEN this API answers to loopback names only, such as localhost or 127.0.0.1; "
            "the request's Host is another one."
        )
    if not changes_something(scope):
        return None
    own_origin = f"{scope['scheme']}://{host}".lower()
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin", own_origin)
    if site not in _OWN_SITES or origin.lower() != own_origin:
        return "Without DYNAMIRROR_ADMIN_TOKEN this API takes no change that a page of another origin asks for."
    return None


def is_loopback_host(host: str) -> bool:
    """True for a `Host` that can only mean this machine: `localhost` and names under it, and loopback addresses."""
    matched = _HOST.fullmatch(host)
    if matched is None:
        return False
    name = matched[1].lower()
    return name.endswith(".localhost") or is_loopback(name)
