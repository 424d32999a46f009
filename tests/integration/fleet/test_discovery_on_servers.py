"""Discovery on real servers: pages of names, streams that are on or off, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.adapters import SystemClock, open_table_list
from service.configuration.fleet_file import Discover
from service.configuration.fleet_plan import DiscoveredTable
from service.configuration.settings import load_settings
from service.fleet.discovery import discover
from tests.servers import REGION, Server, create_streamed_table, environment

FAST = 1000.0
PAGE = 100
"""Of names (API reference, ListTables)."""


class HurriedClock(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / FAST)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


async def found(server: Server, **wanted: Any) -> list[DiscoveredTable]:
    given = {"SOURCE_TABLE": "any-table", "REPLICA_TABLE": "another", "SOURCE_REGION": REGION}
    given |= {"SOURCE_ENDPOINT_URL": server.endpoint_url}
    settings = load_settings({f"DYNAMIRROR_{name}": value for name, value in given.items()})
    async with open_table_list(settings) as tables:
        return await discover(tables, Discover(replica_table="{source_table}-copy", **wanted), HurriedClock())


async def test_tables_are_found_by_their_name_with_what_they_have_for_a_stream(
    machine: None, server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    prefix = unique_name("prod")
    await create_streamed_table(dynamodb, f"{prefix}-with")
    await create_streamed_table(dynamodb, f"{prefix}-without", view_type=None)
    await create_streamed_table(dynamodb, unique_name("other"))

    assert await found(server, source_tables=[f"{prefix}-*"]) == [
        DiscoveredTable(f"{prefix}-with", has_stream=True),
        DiscoveredTable(f"{prefix}-without", has_stream=False),
    ]


async def test_more_tables_than_a_page_are_found(
    machine: None, server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    prefix = unique_name("many")
    names = [f"{prefix}-{number:03}" for number in range(PAGE + 5)]
    for name in names:
        await create_streamed_table(dynamodb, name, view_type=None)

    assert [table.name for table in await found(server, source_tables=[f"{prefix}-*"])] == names


async def test_tables_are_found_by_their_tags(
    machine: None, server: Server, dynamodb: Any, unique_name: Callable[[str], str]
) -> None:
    prefix = unique_name("tagged")
    for word, value in (("a", "yes"), ("b", "no")):
        arn = await create_streamed_table(dynamodb, f"{prefix}-{word}")
        await dynamodb.tag_resource(
            ResourceArn=arn.partition("/stream/")[0], Tags=[{"Key": prefix[-20:], "Value": value}]
        )
    await create_streamed_table(dynamodb, f"{prefix}-c")

    only = [DiscoveredTable(f"{prefix}-a", has_stream=True)]
    assert await found(server, source_tags={prefix[-20:]: "yes"}) == only
    assert await found(server, source_tables=[f"{prefix}-*"], source_tags={prefix[-20:]: "yes"}) == only
