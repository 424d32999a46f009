"""DescribeStream is asked for by all pipelines of a process at the rate that an account has, together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from service.adapters import SystemClock, World
from service.aws.call_rate import CallRate
from service.aws.connection_pool import ConnectionPool
from service.configuration.settings import Settings, load_settings
from tests.servers import REGION, Server, create_streamed_table, environment, sdk_client


class CountedRate(CallRate):
    calls = 0

    async def wait(self) -> None:
        self.calls += 1


def settings_of(server: Server, source: str, **more: str) -> Settings:
    given = {"source_table": source, "replica_table": f"{source}-copy", "create_replica": "true"}
    given |= {"source_region": REGION, "replica_region": REGION}
    given |= {f"{side}_endpoint_url": server.endpoint_url for side in ("source", "replica")}
    return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in (given | more).items()})


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


async def test_pipelines_of_one_account_and_region_share_the_rate_and_others_do_not(moto: Server) -> None:
    pool = ConnectionPool()
    async with AsyncExitStack() as stack:
        one, other, far = [
            (await stack.enter_async_context(pool.connections(settings))).describing
            for settings in (
                settings_of(moto, "orders"),
                settings_of(moto, "users"),
                settings_of(moto, "users", source_region="eu-west-1"),
            )
        ]
    assert one is other
    assert one is not far


async def test_a_pipelines_stream_is_described_at_the_shared_rate(
    moto: Server, unique_name: Callable[[str], str]
) -> None:
    source, rate = unique_name("source"), CountedRate(10)
    async with sdk_client(moto.endpoint_url) as client:
        await create_streamed_table(client, source)
    settings = settings_of(moto, source)
    async with ConnectionPool().connections(settings) as connections:
        clock = SystemClock(connections.times)
        outside = await World(settings, replace(connections, describing=rate), clock, None).look()
        before = rate.calls
        await outside.adapters.streams.describe()
        assert rate.calls == before + 1
