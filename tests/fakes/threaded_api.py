"""The fake API behind the embedded server, in a thread of its own: for tests that wait for a browser meanwhile."""

from __future__ import annotations

import asyncio
import threading

from api.server import AdminServer
from tests.fakes.api import FakeApi
from tests.support.patience import PATIENCE_SECONDS


class ThreadedApi:
    """Served from `start` to `stop`; started again it has the same address."""

    def __init__(self) -> None:
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: AdminServer | None = None
        self._listens = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self, api: FakeApi) -> None:
        """Answers from its return on."""
        self._listens.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(api)), name="admin API")
        self._thread.start()
        assert self._listens.wait(PATIENCE_SECONDS), "the API does not listen"

    async def _serve(self, api: FakeApi) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = AdminServer(
            api.app, host="127.0.0.1", port=self._port, limits=api.limits, shutdown_timeout_seconds=1
        )
        await self._server.listen()
        self._port = self._server.port
        self._listens.set()
        await self._server.serve()

    def stop(self) -> None:
        """May be repeated."""
        if self._thread is None or self._loop is None or self._server is None:
            return
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._thread = None
