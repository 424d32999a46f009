"""The product under a supervisor, as a container platform runs it: started again whenever it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import httpx

from tests.support.chaos.night_product import Watched

START_TRIES = 20


class Supervised:
    """One process at a time. Every method returns when the product runs again, or is meant not to."""

    def __init__(self, product: Watched) -> None:
        self.product = product
        self.kills = 0
        self.terms = 0
        self.stops = 0
        self.failed_starts = 0
        """It ended at its start, as it should when it can't reach its tables for long."""
        self.unexpected_ends: list[str] = []
        self.slowest_stop_seconds = 0.0
        self.peak_memory_bytes = 0

    async def start(self) -> None:
        for _ in range(START_TRIES):
            try:
                await self.product.start()
            except AssertionError:
                self.failed_starts += 1
                await asyncio.sleep(0.3)
            else:
                return
        raise AssertionError(f"it does not start: {self.product.log_end}")

    def check_alive(self) -> None:
        """Notes an end that nobody asked for."""
        if not self.product.is_running:
            self.unexpected_ends.append(f"exit code {self.product.return_code}: {self.product.log_end}")

    def look_at_memory(self) -> None:
        if self.product.is_running:
            self.peak_memory_bytes = max(self.peak_memory_bytes, self.product.peak_memory_bytes())

    async def kill(self) -> None:
        """kill -9; it is not started again by this."""
        self.check_alive()
        self.look_at_memory()
        self.kills += 1
        if self.product.is_running:
            await self.product.kill()

    async def terminate(self) -> None:
        """SIGTERM; it must end with 0."""
        self.check_alive()
        if not self.product.is_running:
            return
        self.terms += 1
        began = time.monotonic()
        code = await self.product.stop()
        self.slowest_stop_seconds = max(self.slowest_stop_seconds, time.monotonic() - began)
        if code != 0:
            self.unexpected_ends.append(f"SIGTERM ended it with {code}: {self.product.log_end}")

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP, and after so long SIGCONT."""
        self.stops += 1
        os.kill(self.product.process_id, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self.product.process_id, signal.SIGCONT)

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """None while it does not answer."""
        try:
            if method == "GET":
                return await self.product.get(path)
            return await self.product.post(path, body)
        except httpx.TransportError:
            return None
