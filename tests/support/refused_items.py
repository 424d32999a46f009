"""A replica that refuses every item, and the letters that come of it."""

from __future__ import annotations

import asyncio

from service.errors import ChangeError
from service.model import Put
from service.pipeline_state import DeadLetter
from tests.fakes.service import Service
from tests.fakes.world import World


def refusing(world: World, text: str = "refused") -> None:
    world.replica.poison = lambda write: ChangeError(text) if isinstance(write, Put) else None


def taking(world: World) -> None:
    world.replica.poison = lambda write: None


def letters(world: World) -> list[DeadLetter]:
    return list(world.control.of("source--replica").letters.values())


async def settled(service: Service) -> None:
    await asyncio.sleep(5)
    await service.until_caught_up()


def check_count(service: Service) -> None:
    assert service.report.status().dead_letters == len(letters(service.world))
