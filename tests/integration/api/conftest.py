"""What the tests of the served API ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from api.server import AdminServer
from tests.fakes.api import FakeApi
from tests.fakes.served_api import Serve, serving


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an API until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(api: FakeApi) -> AdminServer:
            return await stack.enter_async_context(serving(api))

        yield start
