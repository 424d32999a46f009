"""A live writer at a steady rate, through the product's own wire: the SDK would take most of a core for it."""

from __future__ import annotations

import asyncio
import itertools
import random

from service.aws.tables import DynamoTable
from service.errors import RetryableError
from service.model import Delete, Put
from tests.support.installed.table_filling import item, key_of

HOT_KEYS = 3
COLD_KEYS = 60
AT_ONCE = 8
CATCHES_UP_SECONDS = 1.0


class SteadyWriter:
    """`async with SteadyWriter(...)`: puts and deletes so many times a second until the block ends.

    Half of the writes go to a few hot keys; every value is unique. What a slow server made it miss for longer than a
    moment is not caught up with.
    """

    def __init__(self, table: DynamoTable, *, seed: int, per_second: float) -> None:
        self._table = table
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._every_seconds = 1 / per_second
        self._next_at = 0.0
        self.writes = 0
        self._started_at = 0.0

    @property
    def per_second(self) -> float:
        """How often it really wrote, so far."""
        return self.writes / max(asyncio.get_running_loop().time() - self._started_at, 0.001)

    async def __aenter__(self) -> SteadyWriter:
        self._started_at = self._next_at = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._write_on(), name=f"writer {number}") for number in range(AT_ONCE)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.result()  # it ends by an error alone

    async def _write_on(self) -> None:
        while True:
            now = asyncio.get_running_loop().time()
            at = self._next_at = max(self._next_at + self._every_seconds, now - CATCHES_UP_SECONDS)
            await asyncio.sleep(at - now)
            try:
                await self._write()
            except RetryableError:
                continue  # whether it took effect is the stream's affair
            self.writes += 1

    async def _write(self) -> None:
        number = self._random.randrange(HOT_KEYS if self._random.random() < 0.5 else COLD_KEYS)
        key = key_of(b"busy-%d" % number, number)
        if self._random.random() < 0.2:
            await self._table.delete(Delete(key), None)
        else:
            pad = b"x" * self._random.randrange(2000)
            rest = b'"n":{"N":"%d"},"pad":{"S":"%b"}' % (next(self._numbers), pad)
            await self._table.put(Put(key, item(key, rest)), None)
