"""Signature Version 4 for requests that differ in nothing but target, body and time; some microseconds each.

The canonical request is made as the IAM User Guide describes it ("Create a signed AWS API request"); what stays the
same is put together once. A unit test compares it with botocore's own signer.
"""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.credentials import ReadOnlyCredentials

_SERVICE = "dynamodb"  # both services sign with this name: botocore, dynamodbstreams 2012-08-10, signingName
_BLOCK_BYTES = 64  # of SHA-256 (RFC 4868, 2.1)
CONTENT_TYPE = "application/x-amz-json-1.0"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Signer:
    """Signs POST requests to one endpoint in one region. Not for use by several threads."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        parts = urlsplit(endpoint_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        self._host = host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
        self._region = region
        self._prefix = (
            f"POST\n{quote(parts.path or '/', safe='/~%')}\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\n"
        )
        self._second = -1
        self._moment = ""
        self._key_for: tuple[str, str] | None = None
        self._inner = self._outer = sha256()
        self._scope = ""

    def headers(self, target: str, body: bytes, credentials: ReadOnlyCredentials, now: float) -> dict[str, str]:
        """The headers of a request, signature included. `now` in seconds since the epoch."""
        moment = self._timestamp(int(now))
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": moment,
            "X-Amz-Target": target,
        }
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
            middle = f"x-amz-date:{moment}\nx-amz-security-token:{credentials.token}\n"
        else:
            signed = "content-type;host;x-amz-date;x-amz-target"
            middle = f"x-amz-date:{moment}\n"
        request = f"{self._prefix}{middle}x-amz-target:{target}\n\n{signed}\n{sha256(body).hexdigest()}"
        inner, outer = self._signing_key(moment[:8], credentials.secret_key or "")
        scope = self._scope
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        inner.update(to_sign.encode())
        outer.update(inner.digest())
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={outer.hexdigest()}"
        )
        return headers

    def _timestamp(self, second: int) -> str:
        if second != self._second:
            self._moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._second = second
        return self._moment

    def _signing_key(self, day: str, secret: str) -> tuple[Any, Any]:
        """An HMAC's two hashes (RFC 2104), each fed with its half of the key, which changes with day and secret only.

        The hmac module's own `copy()` takes twice as long.
        """
        if self._key_for != (day, secret):
            key = b"AWS4" + secret.encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            block = key.ljust(_BLOCK_BYTES, b"\0")
            self._inner, self._outer = (
                sha256(bytes(byte ^ 0x36 for byte in block)),
                sha256(bytes(byte ^ 0x5C for byte in block)),
            )
            self._key_for, self._scope = (day, secret), f"{day}/{self._region}/{_SERVICE}/aws4_request"
        return self._inner.copy(), self._outer.copy()
