"""The fake API behind the embedded server on loopback, in the caller's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api.server import AdminServer
from tests.fakes.api import FakeApi

Serve = Callable[[FakeApi], Awaitable[AdminServer]]


@asynccontextmanager
async def serving(api: FakeApi) -> AsyncIterator[AdminServer]:
    """Served on a free port while the block runs."""
    server = AdminServer(api.app, host="127.0.0.1", port=0, limits=api.limits, shutdown_timeout_seconds=1)
    await server.listen()
    task = asyncio.create_task(server.serve(), name="admin API")
    try:
        yield server
    finally:
        server.stop()
        await task
