"""Signature Version 4 for requests that differ in nothing but target, body and time; some microseconds each.

The canonical request is made as the IAM User Guide describes it ("Create a signed AWS API request"); what the
requests of a second have in common is put together once. A unit test compares it with botocore's own signer.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from urllib.parse import quote, urlsplit

import msgspec
from botocore.credentials import ReadOnlyCredentials

_SERVICE = "dynamodb"  # both services sign with this name: botocore, dynamodbstreams 2012-08-10, signingName
_BLOCK_BYTES = 64  # of SHA-256 (RFC 4868, 2.1)
CONTENT_TYPE = "application/x-amz-json-1.0"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class _Prepared(msgspec.Struct, frozen=True):
    """What all requests of one target in one second, with the same credentials, have in common."""

    headers: dict[str, str]
    canonical: str
    """The canonical request, up to the body's hash."""
    to_sign: str
    """… and what is signed, up to the canonical request's hash."""
    authorization: str
    """… and the header's value, up to the signature."""


class Signer:
    """Signs POST requests to one endpoint in one region. Not for use by several threads."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        parts = urlsplit(endpoint_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        self._host = host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
        self.region = region
        self._canonical = (
            f"POST\n{quote(parts.path or '/', safe='/~%')}\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\n"
        )
        self._prepared: dict[str, _Prepared] = {}
        self._prepared_for: tuple[int, ReadOnlyCredentials] | None = None
        self._key_for: tuple[str, str] | None = None
        self._inner = self._outer = sha256()

    def headers(self, target: str, body: bytes, credentials: ReadOnlyCredentials, now: float) -> dict[str, str]:
        """The headers of a request, signature included. `now` in seconds since the epoch."""
        if self._prepared_for != (int(now), credentials):
            self._prepared_for = (int(now), credentials)
            self._prepared.clear()
        prepared = self._prepared.get(target)
        if prepared is None:
            prepared = self._prepared[target] = self._prepare(target, credentials, int(now))
        request = prepared.canonical + sha256(body).hexdigest()
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update((prepared.to_sign + sha256(request.encode()).hexdigest()).encode())
        outer.update(inner.digest())
        return prepared.headers | {"Authorization": prepared.authorization + outer.hexdigest()}

    def _prepare(self, target: str, credentials: ReadOnlyCredentials, second: int) -> _Prepared:
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        headers = {"Host": self._host, "Content-Type": CONTENT_TYPE, "X-Amz-Date": moment, "X-Amz-Target": target}
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
            middle = f"x-amz-date:{moment}\nx-amz-security-token:{credentials.token}\n"
        else:
            signed = "content-type;host;x-amz-date;x-amz-target"
            middle = f"x-amz-date:{moment}\n"
        scope = f"{moment[:8]}/{self.region}/{_SERVICE}/aws4_request"
        self._take_key(moment[:8], credentials.secret_key or "")
        return _Prepared(
            headers,
            f"{self._canonical}{middle}x-amz-target:{target}\n\n{signed}\n",
            f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n",
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature=",
        )

    def _take_key(self, day: str, secret: str) -> None:
        """Feed an HMAC's two hashes (RFC 2104) with its key, which changes with the day and the secret only.

        The hmac module's own `copy()` takes twice as long as copying these.
        """
        if self._key_for == (day, secret):
            return
        key = b"AWS4" + secret.encode()
        for part in (day, self.region, _SERVICE, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner, self._outer = (
            sha256(bytes(byte ^ 0x36 for byte in block)),
            sha256(bytes(byte ^ 0x5C for byte in block)),
        )
        self._key_for = day, secret
