"""How a host is written: bare in a setting, in brackets within a URL where it is an IPv6 address."""

from __future__ import annotations

import ipaddress
import re

_USER = re.compile(r"(?<=://)[^/]*@")
_ANY_ADDRESS = {4: "127.0.0.1", 6: "::1"}


def bare(host: str) -> str:
    """Without what surrounds it: `[::1]` is `::1`."""
    host = host.strip()
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def address(host: str, port: int | str) -> str:
    """`http://host:port`."""
    host = bare(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def without_user(text: str) -> str:
    """For a person to see: without the name and the password that a URL may carry."""
    return _USER.sub("…@", text)


def is_loopback(host: str) -> bool:
    """It can only mean this machine."""
    found = _parsed(host)
    return bare(host).lower() == "localhost" if found is None else found.is_loopback


def reached(host: str) -> str:
    """Where who listens on this host is reached from this machine: a wildcard listens on loopback too."""
    found = _parsed(host)
    return _ANY_ADDRESS[found.version] if found is not None and found.is_unspecified else bare(host)


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name."""
    try:
        return ipaddress.ip_address(bare(host))
    except ValueError:
        return None
