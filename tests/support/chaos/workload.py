"""Writes to the source that never rest: hot and cold keys, every type, big items, deletes, keys that come back.

Every item that is put has a value that was never written before, so that a state names its place in history.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

BIG_BYTES = 390_000
"""Near the 400 KB of an item (Developer Guide, "Service quotas"), with room for the metadata."""
POISON = "poison"


class Workload:
    """`async with` it: it writes until the block ends, about so many times a second, straight to the emulator."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        *,
        seed: int,
        per_second: float = 100.0,
        keys: int = 60,
        big: float = 0.004,
        poison: float = 0.0,
    ) -> None:
        """`big` and `poison` are chances: of a big item, and of a write to a key that the replica will refuse."""
        self._dynamodb = dynamodb
        self._table = table
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._pause_seconds = 1 / per_second
        self._keys = keys
        self._big = big
        self._poison = poison
        self.writes = 0
        self.poisoned = 0
        self._is_over = asyncio.Event()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Workload:
        self._task = asyncio.create_task(self._write_on(), name="workload")
        return self

    async def __aexit__(self, *_: object) -> None:
        """The last write is whole, and done: nothing comes after it."""
        self._is_over.set()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _write_on(self) -> None:
        while not self._is_over.is_set():
            async with self._turn:
                await self.write_once()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), self._pause_seconds)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nothing is written meanwhile, and the last write before is whole."""
        async with self._turn:
            yield

    async def write_once(self) -> None:
        self.writes += 1
        if self._random.random() < self._poison:
            self.poisoned += 1
            await self._put(f"{POISON}-{self._random.randrange(3)}")
            return
        # Half of the writes go to three keys.
        key = f"k{self._random.randrange(3 if self._random.random() < 0.5 else self._keys)}"
        if self._random.random() < 0.2:
            await self._dynamodb.delete_item(TableName=self._table, Key={"key": {"S": key}})
        else:
            await self._put(key)

    async def _put(self, key: str) -> None:
        item = {"key": {"S": key}, "n": {"N": str(next(self._numbers))}, "pad": {"S": self._padding()}}
        for name in self._random.sample(sorted(_VALUES), self._random.randrange(4)):
            item[name] = _VALUES[name](self._random)
        await self._dynamodb.put_item(TableName=self._table, Item=item)

    def _padding(self) -> str:
        size = self._random.randrange(100_000, BIG_BYTES) if self._random.random() < self._big else 0
        return "x" * (size or self._random.randrange(1500))


def _words(dice: random.Random) -> list[str]:
    return sorted({f"w{dice.randrange(99)}" for _ in range(3)})


_VALUES = {
    "text": lambda dice: {"S": dice.choice(["", "ä€😀", '"\\\n', "null"])},
    "number": lambda dice: {"N": dice.choice(["0", "-1.5", "1E-130", "9.9999999999999999999999999999999999999E+125"])},
    "binary": lambda dice: {"B": dice.randbytes(dice.randrange(20))},
    "flag": lambda dice: {"BOOL": dice.random() < 0.5},
    "nothing": lambda _: {"NULL": True},
    "words": lambda dice: {"SS": _words(dice)},
    "numbers": lambda dice: {"NS": sorted({str(dice.randrange(10**38)) for _ in range(3)})},
    "binaries": lambda dice: {"BS": sorted({dice.randbytes(3) for _ in range(3)})},
    "list": lambda dice: {"L": [{"N": "1"}, {"S": ""}, {"L": []}, {"M": {"deep": {"L": [{"BOOL": True}]}}}]},
    "map": lambda dice: {"M": {word: {"S": word} for word in _words(dice)}},
}
