"""What tests on servers ask for: the servers, SDK clients on them, and names that nobody else uses.

A folder of such tests has them in its conftest.py. A server is shared: a test takes its table names from `unique_name`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.servers import NAMES, PREFIX, Server, sdk_client
from tests.servers.differences import strictest
from tests.support.coverage_of_run import arguments_of

__all__ = ["dynamodb", "dynamodb_streams", "ministack", "moto", "server", "strict_server", "unique_name"]


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, server_named: Callable[[str], Server]) -> Server:
    """Each of the servers of this run: the test runs once on each of them."""
    return server_named(request.param)


@pytest.fixture
def strict_server(request: pytest.FixtureRequest, server_named: Callable[[str], Server]) -> Server:
    """The one server of this run that is nearest to AWS, and has what the test needs."""
    return server_named(strictest(NAMES, arguments_of(request.node, "needs")))


@pytest.fixture
def moto(server_named: Callable[[str], Server]) -> Server:
    """moto alone."""
    return server_named("moto")


@pytest.fixture
def ministack(server_named: Callable[[str], Server]) -> Server:
    """ministack alone."""
    return server_named("ministack")


@pytest.fixture
async def dynamodb(server: Server) -> AsyncIterator[Any]:
    """An SDK client for the tables of `server`."""
    async with sdk_client(server.endpoint_url) as client:
        yield client


@pytest.fixture
async def dynamodb_streams(server: Server) -> AsyncIterator[Any]:
    """An SDK client for the streams of `server`."""
    async with sdk_client(server.endpoint_url, "dynamodbstreams") as client:
        yield client


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes a table name that only this test has, from a word: `unique_name("source")`."""
    test = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")[:60]

    def unique(word: str) -> str:
        return f"{PREFIX}{word}-{test}-{uuid.uuid4().hex[:8]}"

    return unique
