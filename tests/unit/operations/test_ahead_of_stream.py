"""Before the first write that may be ahead of the stream, a successor is told to guard: it may be next any moment."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import ChangeError
from service.replication.guard_window import MARGIN_SECONDS
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.damaged_tables import damage, filled
from tests.support.invariants import check_all
from tests.support.numbered_items import item, key
from tests.unit.operations.test_refresh_item import replicated


async def repair(service: Service) -> None:
    damage(service.world)
    await service.verify(repair=True)


async def copy(service: Service) -> None:
    service.world.replica.lose(key(1))
    await replicated(service, key(1))


async def replay(service: Service) -> None:
    service.world.replica.lose(key(1))
    await service.replay(from_="trim_horizon")


async def snapshot(service: Service) -> None:
    service.world.replica.lose(key(1))
    await service.snapshots.start()
    await until(lambda: service.world.replica.item(key(1)) is not None)


async def redrive(service: Service) -> None:
    refusing, service.world.replica.poison = service.world.replica.poison, _refused
    service.world.source.put(item(1, "2"))
    await until(lambda: len(service.world.control.of("source--replica").letters) == 1)
    service.world.replica.poison = refusing
    await service.redrive()


def _refused(write: Any) -> None:
    raise ChangeError("refused")


@pytest.mark.parametrize("work", [repair, copy, replay, snapshot, redrive])
async def test_a_successor_is_told_before_the_first_write(work):
    world = World()
    seen: list[float] = []

    def look(write: Any) -> None:
        progress = world.control.of("source--replica").progress
        assert progress is not None
        seen.append(progress.guarded_until - world.clock.now())

    async with Service(world) as service:
        await filled(service)
        world.replica.poison = look
        await work(service)
    assert seen
    assert min(seen) > MARGIN_SECONDS - 1
    check_all(world)
