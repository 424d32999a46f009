"""A stream that is off, or whose shards can't be listed, may hide what the source makes: nothing is caught up (I8)."""

from __future__ import annotations

import asyncio

from service.errors import UnavailableError
from service.model import StreamStatus
from service.operations.documents.status import LagStatus
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.numbered_items import item

AWAY = UnavailableError("DescribeStream on the stream failed: 500", "500")


def lag(service: Service) -> LagStatus:
    return service.report.status().lag


async def test_while_no_shards_are_listed_nothing_is_caught_up_and_the_lag_grows():
    world = World()
    async with Service(world) as service, Service(world) as standby:
        await service.until_caught_up()
        world.plan.fail_next("streams.describe", AWAY, times=10**6)
        await asyncio.sleep(20)
        assert lag(service).caught_up, "a list may be late"
        await until(lambda: bool(service.report.status().warnings))
        first = lag(service)
        assert not first.caught_up
        assert first.seconds is not None
        assert first.seconds >= 30
        assert (first.unapplied_records, first.oldest_unapplied_at) == (0, None)
        await asyncio.sleep(100)
        later, elsewhere = lag(service).seconds, lag(standby).seconds
        assert later is not None
        assert elsewhere is not None
        assert later >= first.seconds + 100
        assert elsewhere >= first.seconds + 90, "a standby tells it too"
        assert service.report.not_ready_reason() is None, "what is known is read"
        world.plan.fail_no_more()
        await until(lambda: lag(service).caught_up)
        assert service.report.status().warnings == []
        assert lag(service).seconds == 0


async def test_what_is_read_meanwhile_is_applied():
    world = World()
    async with Service(world) as service:
        await service.until_caught_up()
        world.plan.fail_next("streams.describe", AWAY, times=10**6)
        await asyncio.sleep(90)
        world.source.put(item(1))
        await until(lambda: len(world.replica.items) == 1)
        assert not lag(service).caught_up


async def test_a_stream_that_is_off_is_never_caught_up_though_its_shard_is_open_still():
    world = World()
    async with Service(world) as service:
        await service.until_caught_up()
        world.source.stream.status = StreamStatus.DISABLED
        await until(lambda: not lag(service).caught_up)
        await asyncio.sleep(60)
        assert not lag(service).caught_up
