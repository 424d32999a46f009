"""Looks at the status all the time, and holds it against what the proxy knows (I8)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import httpx

from tests.support.chaos.night import Night
from tests.support.chaos.night_product import Watched
from tests.support.chaos.workload import POISON

EVERY_SECONDS = 0.2
MUST_SHOW_LAG_SECONDS = 2.0
"""A quiet shard is read about once a second, and a busy machine needs a moment: then lag must show."""
MUST_NOT_BE_CAUGHT_UP_SECONDS = 5.0
"""`caught_up` means that the tip was seen within the last few polls, of up to a second each."""


class Sampler:
    """`async with` it. `lies` are the statuses that said less than the truth; `worst_lag_seconds` is what one said."""

    def __init__(self, night: Night, product: Watched | None = None) -> None:
        self._night = night
        self._product = product or night.product
        self.lies: list[str] = []
        self.samples = 0
        self.worst_lag_seconds = 0.0
        self.states: set[str] = set()

    async def __aenter__(self) -> Sampler:
        self._task = asyncio.create_task(self._sample_on(), name="sampler")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Raises what ended the sampling, if anything did: nothing was judged from then on."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _sample_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            before, asked_at = self._oldest(), time.monotonic()
            try:
                async with asyncio.timeout(2.0):  # wait_for may swallow the cancellation that ends this task
                    status = await self._product.status()
            except (httpx.HTTPError, TimeoutError):
                continue
            self.samples += 1
            self.states.add(status["state"])
            if status["state"] not in ("running", "snapshotting"):
                continue
            self.worst_lag_seconds = max(self.worst_lag_seconds, status["lag"]["seconds"] or 0.0)
            if before is not None and before == self._oldest():
                self._judge(before, asked_at, status)

    def _oldest(self) -> tuple[float, str] | None:
        witness = self._night.proxy.witness
        return witness.oldest_unapplied([key for key in witness.source if POISON in key])

    def _judge(self, oldest: tuple[float, str], asked_at: float, status: dict[str, Any]) -> None:
        """The status may be from any moment since it was asked for."""
        seconds, lag = asked_at - oldest[0], status["lag"]
        change = f"{status['now']}, {status['state']}: a change of {oldest[1]} was unapplied for {seconds:.1f} s"
        if seconds > MUST_SHOW_LAG_SECONDS and lag["seconds"] is not None and lag["seconds"] <= 0:
            self.lies.append(f"{change} while the lag was {lag}")
        if seconds > MUST_NOT_BE_CAUGHT_UP_SECONDS and lag["caught_up"]:
            self.lies.append(f"{change} while the status said caught up: {lag}")
