"""The small writer: a few changes a second at the source, in bursts with a rest in which both tables become equal."""

from __future__ import annotations

import asyncio
import random

from service.demo.emulator import Tables

KEYS = tuple(f"key{number}" for number in range(1, 21))
BURST = 5
PAUSE_SECONDS = 0.15
REST_SECONDS = 1.0


class Writer:
    """Owns what it believes the source to hold; items that others put there it leaves alone."""

    def __init__(self, tables: Tables, chance: random.Random | None = None) -> None:
        self._tables = tables
        self._chance = chance or random.Random()
        self._values: dict[str, str] = {}
        self._count = 0

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

    async def write_once(self) -> None:
        """Insert, modify or remove one item."""
        missing = [key for key in KEYS if key not in self._values]
        chance = self._chance.random()
        if self._values and (chance < 0.25 or not missing):
            await self._remove(self._chance.choice(sorted(self._values)))
        elif self._values and chance < 0.6:
            await self._put(self._chance.choice(sorted(self._values)))
        else:
            await self._put(self._chance.choice(missing))

    async def _put(self, key: str) -> None:
        self._count += 1
        value = f"value{self._count}"
        await self._tables.put({"key": {"S": key}, "value": {"S": value}})
        self._values[key] = value

    async def _remove(self, key: str) -> None:
        await self._tables.delete(key)
        del self._values[key]
