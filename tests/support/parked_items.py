"""Items that became dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.errors import ChangeError
from service.model import ItemWrite, Put
from tests.fakes.service import Service, until
from tests.fakes.world import World


def refusing(text: bytes) -> Callable[[ItemWrite], ChangeError | None]:
    """The replica takes no item with this in it."""
    return lambda write: ChangeError("refused") if isinstance(write, Put) and text in write.item else None


def nothing(write: ItemWrite) -> ChangeError | None:
    return None


async def parked(service: Service, *items: dict[str, Any]) -> list[str]:
    """Each of these items becomes a dead letter; returns their ids, oldest first."""
    flow = await service.flow()
    service.world.replica.poison = refusing(b"value")
    for count, each in enumerate(items, 1):
        service.world.source.put(each)
        await until(lambda count=count: flow.dead_letters.counted.value >= count)
    await service.until_caught_up()
    service.world.replica.poison = nothing
    letters, _ = await service.letters.page(100, None)
    return [letter["id"] for letter in letters]


def kept(world: World) -> int:
    return len(world.control.of("source--replica").letters)


def counts(redriven: int = 0, superseded: int = 0, failed: int = 0) -> dict[str, int]:
    return {"redriven": redriven, "superseded": superseded, "failed": failed}
