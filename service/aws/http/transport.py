"""HTTP for the wire, behind one small seam: `post(body, headers)`. It never retries, and it follows no redirect.

`client` is the quick way; what goes through a proxy takes aiohttp's.

TLS and proxies are set up as the SDK sets up its own: the CA bundle of AWS_CA_BUNDLE or the profile, HTTPS_PROXY,
NO_PROXY.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Protocol

import aiohttp
import msgspec
from botocore.httpsession import ProxyConfiguration, create_urllib3_context, get_cert_path
from botocore.utils import get_environ_proxies
from yarl import URL

from service.aws.answers import CHECKSUM_HEADER

CONNECT_SECONDS = 3.0
# Of a write's time: shorter than the whole, so that a connection that never came is told from an answer that is lost.
CONNECT_SHARE = 0.75
# An answer of a read may be long in coming through a narrow line, as long as it keeps coming: nothing is at stake.
WHOLE_READ_SECONDS = 60.0
# Less than the services keep an idle connection; aiobotocore's own value (_constants.DEFAULT_KEEPALIVE_TIMEOUT).
KEEP_ALIVE_SECONDS = 12.0


class NotSentError(Exception):
    """No connection: nothing of the request can have reached the service."""


class AnswerLostError(Exception):
    """The request, or a part of it, was sent; no whole answer came back."""


class HttpAnswer(msgspec.Struct, frozen=True, gc=False):
    status: int
    body: bytes
    checksum: str | None = None
    """The header x-amz-crc32: the body's CRC-32 in decimal, where the service sent one."""
    date: str | None = None
    """The header Date, as it came."""


class Http(Protocol):
    """One endpoint. Closed by its maker."""

    async def post(self, body: bytes, headers: Mapping[str, str], *, is_write: bool) -> HttpAnswer:
        """One request. Raises NotSentError or AnswerLostError."""

    async def close(self) -> None: ...


class AiohttpEndpoint:
    """One endpoint through the environment's proxy; how many connections there are is bounded by who calls, not here.

    A write is over within `request_timeout_seconds`, come what may (a lease's margin stands on that); a read fails
    when nothing arrives for that long.
    """

    def __init__(self, url: str, tls: ssl.SSLContext, request_timeout_seconds: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            # x-amz-crc32 is of the body as it was sent, so it must not be compressed for us
            headers={"Accept-Encoding": "identity", "User-Agent": "dynamirror"},
            skip_auto_headers=("Accept",),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._url = URL(url, encoded=True)
        self._tls = tls
        self._proxy = proxy_of(url)
        connect = min(CONNECT_SECONDS, request_timeout_seconds * CONNECT_SHARE)
        self._write_timeout = aiohttp.ClientTimeout(total=request_timeout_seconds, sock_connect=connect)
        self._read_timeout = aiohttp.ClientTimeout(
            total=max(WHOLE_READ_SECONDS, request_timeout_seconds),
            sock_connect=connect,
            sock_read=request_timeout_seconds,
        )

    async def post(self, body: bytes, headers: Mapping[str, str], *, is_write: bool) -> HttpAnswer:
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=headers,
                timeout=self._write_timeout if is_write else self._read_timeout,
                ssl=self._tls,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                return HttpAnswer(
                    response.status,
                    await response.read(),
                    response.headers.get(CHECKSUM_HEADER),
                    response.headers.get("date"),
                )
        except (
            aiohttp.ClientConnectorError,  # refused, no route, no such host, TLS, or no proxy
            aiohttp.ClientHttpProxyError,
            aiohttp.ConnectionTimeoutError,
        ) as error:
            raise NotSentError(_told(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLostError(_told(error)) from error

    async def close(self) -> None:
        await self._session.close()


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this endpoint; None where it is asked directly."""
    proxy: str | None = ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)
    return proxy


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """As aiobotocore makes it: the given bundle, else REQUESTS_CA_BUNDLE, else the certificates of certifi.

    And the certificate must be the host's: botocore leaves that to urllib3, which is not here. All endpoints of a
    bundle share one context: to read certifi's takes some 25 ms.
    """
    return _trusting(ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True))


@cache
def _trusting(bundle: str) -> ssl.SSLContext:
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    context.load_verify_locations(bundle)
    return context


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
