"""What may pass by itself is tried again, loudly: state, reason and readiness tell it, and it goes on by itself.

Each error is made by the one table, from what a service or a proxy answers.
"""

from __future__ import annotations

import asyncio

import pytest

from service.aws.error_codes import Call, fault
from service.errors import RetryableError
from service.operations.documents.status import PipelineState
from tests.fakes.service import Service
from tests.fakes.world import World
from tests.support.invariants import check_all, check_equal
from tests.support.numbered_items import item

CALLS = {
    "replica": Call("BatchWriteItem", "the replica table orders", carries_change=True),
    "streams": Call("GetRecords", "the stream of orders"),
    "control": Call("UpdateItem", "the control table"),
}
ANSWERS = {
    "a proxy's 403": ("", 403, "not DynamoDB's"),
    "a proxy's 404": ("", 404, "not DynamoDB's"),
    "a disabled key": ("KMSDisabledException", 400, "KMS key"),
    "a denied key": ("AccessDeniedException", 400, "allow dynamodb:"),
    "expired credentials": ("ExpiredTokenException", 400, "valid AWS credentials"),
}


def answer(port: str, name: str) -> tuple[RetryableError, str]:
    code, status, told = ANSWERS[name]
    error = fault(CALLS[port], code, "", status)
    assert isinstance(error, RetryableError)
    return error, told


def unready(service: Service) -> str | None:
    return service.report.not_ready_reason()


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("port", CALLS)
async def test_it_is_told_within_a_minute_and_goes_on_by_itself_afterwards(port: str, name: str):
    world = World()
    error, told = answer(port, name)
    async with Service(world, lease_seconds=30) as service:
        await service.until_caught_up()
        now = world.clock.now()
        world.plan.outage(port, now, now + 120, error)
        for number in range(20):
            world.source.put(item(number))
        await asyncio.sleep(60)
        assert service.pipeline.state is not PipelineState.FAILED
        assert told in (unready(service) or "")
        status = service.report.status()
        assert told in (status.reason or "")
        assert not status.lag.caught_up

        await asyncio.sleep(60)
        await service.until_caught_up()
        assert unready(service) is None
        assert service.report.status().reason is None
        check_equal(world)
    check_all(world)


@pytest.mark.parametrize("port", ["source", "replica"])
async def test_a_read_that_guarded_changes_wait_for_is_told_as_a_write_is(port: str):
    """Nothing was written, so no write has failed: yet nothing goes on."""
    world = World()
    world.source.preset(item(1))
    async with Service(world, write_mode="strict") as service:
        await service.until_caught_up()
        now = world.clock.now()
        world.plan.outage(port, now, now + 600)
        world.source.put(item(2))
        await asyncio.sleep(60)
        assert "access to the" in (unready(service) or "")
        await asyncio.sleep(600)
        await service.until_caught_up()
        assert unready(service) is None
        world.plan.outage("source", world.clock.now(), world.clock.now() + 600)
        await asyncio.sleep(60)
        assert unready(service) is None, "nothing waits for it"


async def test_what_failed_last_before_a_pause_is_no_trouble_of_the_pause():
    world = World()
    error, _ = answer("replica", "a proxy's 403")
    async with Service(world) as service:
        await service.until_caught_up()
        now = world.clock.now()
        world.plan.outage("replica", now, now + 10, error)
        world.source.put(item(1))
        await asyncio.sleep(5)
        service.pipeline.show_paused(True)
        await asyncio.sleep(300)
        assert unready(service) is None
        service.pipeline.show_paused(False)
        await service.until_caught_up()
