"""Where the events of a history happen: the night, the process, the service's clock, and waits for the right moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tests.support.chaos.night import Night
from tests.support.chaos.supervisor import Supervised
from tests.support.chaos.workload import Workload

HOUR = 3600.0
CLOCKS = {
    "right": 0.0,
    "a day behind": 24 * HOUR,
    "two minutes ahead": -150.0,
    "a day ahead": -24 * HOUR,
    "two minutes behind": 150.0,
    "hours behind": 3 * HOUR,
    "hours ahead": -5 * HOUR,
}
"""Our clock when a history begins, and how far the service's is ahead of it then: the seed chooses."""
PATIENCE_SECONDS = 30.0
"""So long, an event waits for the product to be where it is to be met."""


class EventStage:
    """Of one history; owns the service's clock."""

    def __init__(
        self, night: Night, process: Supervised, workload: Workload, dice: random.Random, *, clock: str
    ) -> None:
        """`clock` is one of CLOCKS."""
        self.night = night
        self.process = process
        self.workload = workload
        self.dice = dice
        self._clock_seconds = 0.0
        self.move_clock(CLOCKS[clock])
        self.problems: list[str] = []

    def move_clock(self, seconds: float) -> None:
        """The service's is so much further ahead from now on."""
        self._clock_seconds += seconds
        self.night.proxy.set_clock(self._clock_seconds)

    async def end(self) -> None:
        await (self.process.kill() if self.dice.random() < 0.5 else self.process.terminate())

    async def ask(self, path: str, body: object = None) -> int | None:
        """The status code; a refusal (another job runs, no lease) is an answer like any other."""
        answer = await self.process.ask("POST", path, body)
        if answer is None:
            return None
        if answer.status_code == 500:
            self.problems.append(f"{path} answered 500; the log: {self.night.product.log_of('Traceback')}")
        return answer.status_code

    async def until(self, is_so: Callable[[], bool]) -> bool:
        """False when it does not come to be within a while."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():  # noqa: ASYNC110 what the proxy knows has no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return True

    async def until_status(self, is_so: Callable[[dict[str, Any]], bool]) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    answer = await self.process.ask("GET", "/status")
                    if answer is not None and answer.status_code == 200 and is_so(answer.json()):
                        return True
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return False
