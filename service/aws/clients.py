"""The long-lived connections to AWS: for each endpoint a wire, and one apart for what must not wait behind writes.

No wire retries: waiting belongs to the flow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from service.aws.call_rate import CallRate
from service.aws.http.client import DirectEndpoint
from service.aws.http.reading_turns import ReadingTurns
from service.aws.http.server_time import ServerTime, ServerTimes
from service.aws.http.signing import Signer
from service.aws.http.transport import CONNECT_SECONDS, AiohttpEndpoint, Http, proxy_of, tls_context
from service.aws.http.wire import STREAMS, TABLES, Wire
from service.aws.sessions import open_client

_MAX_CONTROL_CONNECTIONS = 64
"""For the leases, checkpoints and jobs of all pipelines at once."""
_SERVICES = {"dynamodb": TABLES, "dynamodbstreams": STREAMS}


@dataclass(frozen=True, slots=True)
class ServiceConnection:
    """One endpoint of one service."""

    url: str
    wire: Wire
    control: Wire
    """With connections of its own: a lease that is renewed must not wait behind the writes of many pipelines."""
    time: ServerTime
    direct: DirectEndpoint | None = None
    """What the wire goes through, unless that is a proxy."""
    session: AioSession | None = None
    """Whose credentials sign."""


@dataclass(frozen=True, slots=True)
class Connections:
    """What one pipeline speaks to. The control table lives beside the replica."""

    source: ServiceConnection
    streams: ServiceConnection
    replica: ServiceConnection
    times: ServerTimes
    describing: CallRate
    """Of DescribeStream, for all that ask there as the same account."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a connection is made for."""

    service: str
    url: str | None
    """None: AWS's own."""
    request_timeout_seconds: float

    @property
    def is_plain(self) -> bool:
        """No TLS on the way: so no certificates are read, which takes some 25 ms for each client."""
        return self.url is not None and self.url.startswith("http:") and proxy_of(self.url) is None


@asynccontextmanager
async def open_connection(
    session: AioSession, endpoint: Endpoint, times: ServerTimes, turns: ReadingTurns
) -> AsyncIterator[ServiceConnection]:
    """Until the block ends. `times` tells the time to sign at while this endpoint has not answered yet.

    Raises ConfigurationError.
    """
    time = ServerTime()
    async with AsyncExitStack() as stack:
        # Asked for nothing: the SDK's client knows the endpoint and the region, whatever sets them.
        verify = False if endpoint.is_plain else None
        async with open_client(session, endpoint.service, endpoint_url=endpoint.url, verify=verify) as client:
            place, region = client.meta.endpoint_url, client.meta.region_name
        times.add(time)
        stack.callback(times.remove, time)
        now = partial(times.at, time)
        # Requests go to the endpoint's path with a slash at its end, as botocore sends and signs them.
        url = place.rstrip("/") + "/"
        direct, seconds = None, endpoint.request_timeout_seconds
        transport: Http
        control: Http
        tls = None if endpoint.is_plain else tls_context(session.get_config_variable("ca_bundle"))
        if tls is None or proxy_of(url) is None:
            transport = direct = DirectEndpoint(url, tls, seconds)
            control = DirectEndpoint(url, tls, seconds, _MAX_CONTROL_CONNECTIONS)
        else:
            transport = control = AiohttpEndpoint(url, tls, seconds)
        stack.push_async_callback(transport.close)
        stack.push_async_callback(control.close)
        credentials = await session.get_credentials()
        assert credentials is not None  # open_session found some
        signer = Signer(url, region)
        wire, of_control = (
            Wire(each, signer, credentials, _SERVICES[endpoint.service], time, now, turns)
            for each in (transport, control)
        )
        yield ServiceConnection(place, wire, of_control, time, direct, session)


def sdk_config(request_timeout_seconds: float) -> AioConfig:
    return AioConfig(
        connect_timeout=min(CONNECT_SECONDS, request_timeout_seconds),
        read_timeout=request_timeout_seconds,
        retries={"total_max_attempts": 1},
    )
