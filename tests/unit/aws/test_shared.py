"""service.aws.connection_pool.Shared: opened once for all who use it at the same time, closed with the last of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from service.aws.connection_pool import Shared


class Workshop:
    """Opens things, and keeps account of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.refuses = False
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.shared: Shared[str, str] = Shared(self._open)

    @asynccontextmanager
    async def _open(self, key: str):
        await self.may_open.wait()
        if self.refuses:
            raise RuntimeError(key)
        self.log.append(f"open {key}")
        yield f"the {key}"
        self.log.append(f"close {key}")


async def test_two_who_ask_at_the_same_moment_get_one_thing():
    workshop = Workshop()
    workshop.may_open.clear()

    async def take() -> str:
        async with workshop.shared.use("a") as thing:
            await asyncio.sleep(1)
            return thing

    taking = [asyncio.create_task(take()) for _ in range(3)]
    await asyncio.sleep(1)
    workshop.may_open.set()

    assert await asyncio.gather(*taking) == ["the a"] * 3
    assert workshop.log == ["open a", "close a"]


async def test_it_stays_open_for_whoever_uses_it_still_and_is_opened_anew_afterwards():
    workshop = Workshop()
    async with workshop.shared.use("a"), AsyncExitStack() as stack:
        await stack.enter_async_context(workshop.shared.use("a"))
        await stack.enter_async_context(workshop.shared.use("b"))
        await stack.aclose()
        assert workshop.log == ["open a", "open b", "close b"]
    async with workshop.shared.use("a"):
        pass

    assert workshop.log[3:] == ["close a", "open a", "close a"]
    assert len(workshop.shared) == 0


async def test_what_could_not_be_opened_is_opened_by_the_next_one():
    workshop = Workshop()
    workshop.refuses = True
    with pytest.raises(RuntimeError):
        async with workshop.shared.use("a"):
            pass
    assert len(workshop.shared) == 0

    workshop.refuses = False
    async with workshop.shared.use("a") as thing:
        assert thing == "the a"
