"""What a crash left half applied, met again long after, with newer changes of the same content behind it (I3)."""

from __future__ import annotations

import asyncio

from service.errors import UnavailableError
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_all

KEY = {"key": {"S": "k"}}


async def test_a_change_of_after_the_crash_does_not_take_back_what_an_older_one_was_matched_to():
    """The source went 1, gone (crash), 2, 1: the first 1 is met again while the source holds the last one."""
    world = World()
    service = await Service(world, start_at="trim_horizon").open()
    await service.until_caught_up()
    world.plan.fail_next("control.save_progress", UnavailableError("no answer", "ReadTimeoutError"), times=1000)
    world.source.put({**KEY, "value": {"N": "1"}})
    await until(lambda: bool(world.replica.items))
    world.source.stream.roll()
    world.source.delete(KEY)
    await until(lambda: not world.replica.items)
    await service.die()
    world.plan._scripted.clear()
    world.source.stream.roll()
    await asyncio.sleep(300)
    world.source.put({**KEY, "value": {"N": "2"}})
    world.source.stream.roll()
    world.source.put({**KEY, "value": {"N": "1"}})
    async with Service(world, start_at="trim_horizon") as next_one:
        await next_one.flow()
        await asyncio.sleep(30)
        await next_one.until_caught_up()
        check_all(world)
