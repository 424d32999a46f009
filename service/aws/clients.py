"""The long-lived connections to AWS: for each endpoint an SDK client for what is rare, and a wire for what is not.

Both sides have sessions of their own, since each may have its region, its endpoint and its role. Neither the SDK
clients nor the wires retry: waiting belongs to the flow.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError

from service.aws.answers import watch
from service.aws.http.client import DirectEndpoint
from service.aws.http.server_time import ServerTime, ServerTimes
from service.aws.http.signing import Signer
from service.aws.http.signing_time import keep_time
from service.aws.http.transport import CONNECT_SECONDS, AiohttpEndpoint, Http, http_session, proxy_of, tls_context
from service.aws.http.wire import STREAMS, TABLES, Wire
from service.aws.sessions import open_session
from service.configuration.environment import PREFIX
from service.configuration.settings import Settings
from service.dynamodb_json.table_names import table_region
from service.errors import ConfigurationError

# One shared client serves the control table, shard iterators and descriptions of all shards at once.
_MAX_SDK_CONNECTIONS = 64
_SERVICES = {"dynamodb": TABLES, "dynamodbstreams": STREAMS}


@dataclass(frozen=True, slots=True)
class Connection:
    """One endpoint of one service."""

    client: Any
    """An aioboto3 client."""
    wire: Wire
    time: ServerTime

    @property
    def region(self) -> str:
        region: str = self.client.meta.region_name
        return region


@dataclass(frozen=True, slots=True)
class Connections:
    """What one pipeline speaks to. The control table lives beside the replica and goes through its client."""

    source: Connection
    streams: Connection
    replica: Connection
    times: ServerTimes


@asynccontextmanager
async def open_connections(settings: Settings, request_timeout_seconds: float = 2.0) -> AsyncIterator[Connections]:
    """Connections for the settings, until the block ends. No table is asked for anything yet.

    `request_timeout_seconds` must be shorter than the lease's margin: a write is over by then. Raises
    ConfigurationError when a side has no region or no credentials.
    """
    config = AioConfig(
        connect_timeout=min(CONNECT_SECONDS, request_timeout_seconds),
        read_timeout=request_timeout_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=_MAX_SDK_CONNECTIONS,
    )
    stream, table, copy = ServerTime(), ServerTime(), ServerTime()
    times = ServerTimes(stream, table, copy)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_session())
        opening = _Opening(config, stack, http, request_timeout_seconds, times)
        source = await _session(settings, "source", config)
        replica = await _session(settings, "replica", config)
        # Both sides speak to the same services, whose descriptions are parsed once so: 10 MiB less.
        replica.register_component("data_loader", source.get_component("data_loader"))
        source_url = settings.source_endpoint_url
        streams_url = settings.streams_endpoint_url or source_url
        yield Connections(
            source=await opening.connection(source, "dynamodb", source_url, table),
            streams=await opening.connection(source, "dynamodbstreams", streams_url, stream),
            replica=await opening.connection(replica, "dynamodb", settings.replica_endpoint_url, copy),
            times=times,
        )


async def _session(settings: Settings, side: str, config: AioConfig) -> AioSession:
    table, region, role_arn = (getattr(settings, f"{side}_{name}") for name in ("table", "region", "role_arn"))
    return await open_session(f"{PREFIX}{side.upper()}", region or table_region(table), role_arn, config)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What all connections share."""

    config: AioConfig
    stack: AsyncExitStack
    http: aiohttp.ClientSession
    request_timeout_seconds: float
    times: ServerTimes

    async def connection(
        self, session: AioSession, service: str, endpoint_url: str | None, time: ServerTime
    ) -> Connection:
        try:
            client = await self.stack.enter_async_context(
                aioboto3.Session(botocore_session=session).client(
                    service, endpoint_url=endpoint_url, config=self.config
                )
            )
        except (BotoCoreError, ValueError) as error:  # ValueError: "Invalid endpoint: …"
            raise ConfigurationError(f"no client for {service} can be made: {error}") from error
        watch(client)
        now = partial(self.times.at, time)
        keep_time(client, time, now)
        # Requests go to the endpoint's path with a slash at its end, as botocore sends and signs them.
        url = client.meta.endpoint_url.rstrip("/") + "/"
        tls = tls_context(session.get_config_variable("ca_bundle"))
        endpoint = self._endpoint(url, tls)
        credentials = await session.get_credentials()
        assert credentials is not None  # open_session found some
        signer = Signer(url, client.meta.region_name)
        wire = Wire(endpoint, signer, credentials, _SERVICES[service], time, now)
        return Connection(client, wire, time)

    def _endpoint(self, url: str, tls: ssl.SSLContext) -> Http:
        if proxy_of(url):
            return AiohttpEndpoint(self.http, url, tls, self.request_timeout_seconds)
        endpoint = DirectEndpoint(url, tls, self.request_timeout_seconds)
        self.stack.push_async_callback(endpoint.close)
        return endpoint
