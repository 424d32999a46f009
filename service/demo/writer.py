"""The small writer: a few changes a second at the source, in bursts with a rest in which both tables become equal."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass

from service.demo.emulator import Tables

KEYS = tuple(f"key{number}" for number in range(1, 21))
BURST = 5
PAUSE_SECONDS = 0.15
REST_SECONDS = 1.0
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Made:
    """A change that the writer made. `value` is None for a removal; `at` in seconds since the epoch."""

    at: float
    event_name: str
    key: str
    value: str | None

    def __str__(self) -> str:
        return f"{self.event_name} {self.key}" + (f" = {self.value}" if self.value is not None else "")


class Writer:
    """Owns what it believes the source to hold; items that others put there it leaves alone."""

    def __init__(self, tables: Tables, chance: random.Random | None = None) -> None:
        self._tables = tables
        self._chance = chance or random.Random()
        self._values: dict[str, str] = {}
        self._count = 0
        self.last: deque[Made] = deque(maxlen=SHOWN)

    async def begin(self) -> None:
        """Items that are there before the service starts: its snapshot brings them."""
        for key in KEYS[:5]:
            await self._put(key)

    async def write(self) -> None:
        """Until cancelled."""
        while True:
            for _ in range(BURST):
                await self.write_once()
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(REST_SECONDS)

    async def write_once(self) -> Made:
        """Insert, modify or remove one item."""
        missing = [key for key in KEYS if key not in self._values]
        chance = self._chance.random()
        if self._values and (chance < 0.25 or not missing):
            return await self._remove(self._chance.choice(sorted(self._values)))
        if self._values and chance < 0.6:
            return await self._put(self._chance.choice(sorted(self._values)))
        return await self._put(self._chance.choice(missing))

    async def _put(self, key: str) -> Made:
        self._count += 1
        value = f"value{self._count}"
        event_name = "MODIFY" if key in self._values else "INSERT"
        await self._tables.put({"key": {"S": key}, "value": {"S": value}})
        self._values[key] = value
        return self._note(event_name, key, value)

    async def _remove(self, key: str) -> Made:
        await self._tables.delete(key)
        del self._values[key]
        return self._note("REMOVE", key, None)

    def _note(self, event_name: str, key: str, value: str | None) -> Made:
        made = Made(time.time(), event_name, key, value)
        self.last.append(made)
        return made
