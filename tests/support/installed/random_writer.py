"""A writer that never rests: puts, changes and deletes on hot and cold keys, every value unique."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any


class Load:
    """`async with Load(...)`: writes to the source until the block ends, about so many times a second."""

    def __init__(self, dynamodb: Any, table: str, *, seed: int, per_second: float = 150, keys: int = 60) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._pause_seconds = 1 / per_second
        self._keys = keys
        self.writes = 0
        self._wanted: tuple[int, asyncio.Event] | None = None

    async def __aenter__(self) -> Load:
        self._task = asyncio.create_task(self._write_on(), name="load")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def until_written(self, writes: int) -> None:
        """Until it has written so many times."""
        enough = asyncio.Event()
        self._wanted = (writes, enough)
        await enough.wait()

    def _key(self) -> str:
        """Half of the writes go to three keys."""
        return f"k{self._random.randrange(3 if self._random.random() < 0.5 else self._keys)}"

    async def _write_on(self) -> None:
        while True:
            key = {"key": {"S": self._key()}}
            if self._random.random() < 0.2:
                await self._dynamodb.delete_item(TableName=self._table, Key=key)
            else:
                item = key | {"n": {"N": str(next(self._numbers))}, "pad": {"S": "x" * self._random.randrange(2000)}}
                await self._dynamodb.put_item(TableName=self._table, Item=item)
            self.writes += 1
            if self._wanted is not None and self.writes >= self._wanted[0]:
                self._wanted[1].set()
            await asyncio.sleep(self._pause_seconds)
