"""One item copied on an operator's word: whatever that word is, the flow goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import HaltError
from service.model import KeyAttribute
from service.operations.console import ConflictError, InvalidError
from service.operations.documents.status import PipelineState
from service.operations.refresh_item import key_from, replicate_item
from tests.fakes.service import Service, until
from tests.fakes.world import World
from tests.support.invariants import check_equal

KEYS = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
BINARY_KEYS = (KeyAttribute("pk", "N"), KeyAttribute("sk", "B"))


async def replicated(service: Service, keys: dict[str, Any]) -> str:
    flow = await service.flow()
    return await replicate_item(flow, key_from(keys, service.pipeline.outside.source))


async def test_an_error_that_nobody_foresaw_is_the_operators_and_the_flow_goes_on():
    async with Service(World()) as service:
        await service.until_caught_up()
        service.world.plan.fail_next("replica.get", HaltError("GetItem failed: ValidationException: no such key"))
        with pytest.raises(ConflictError, match="no such key"):
            await replicated(service, {"key": {"S": "key1"}})
        service.world.source.put({"key": {"S": "key1"}, "value": {"S": "after"}})
        await until(lambda: service.report.status().totals.records_applied == 1)
        assert service.pipeline.state is PipelineState.RUNNING
        check_equal(service.world)
        assert await replicated(service, {"key": {"S": "key1"}}) == "unchanged"


async def test_whoever_asks_is_told_that_the_pipeline_stopped_before_the_item_was_copied():
    async with Service(World()) as service:
        await service.until_caught_up()
        (await service.flow()).hold()
        service.world.source.put({"key": {"S": "key1"}})
        asked = asyncio.create_task(replicated(service, {"key": {"S": "key1"}}))
        await asyncio.sleep(1)
        service.pipeline.stop()
        async with asyncio.timeout(60):
            with pytest.raises(ConflictError, match="stopped meanwhile"):
                await asked


@pytest.mark.parametrize(
    ("keys", "values", "text"),
    [
        (KEYS, {"pk": {"S": "é" * 1025}, "sk": {"N": "1"}}, "'pk' has 2050 bytes, at most 2048"),
        (KEYS, {"pk": {"S": "a"}, "sk": {"N": "1" * 39}}, "'sk' has 39 digits, at most 38"),
        (KEYS, {"pk": {"S": "a"}, "sk": {"N": "1e126"}}, "'sk' is beyond"),
        (KEYS, {"pk": {"S": "a"}, "sk": {"N": "-1e-131"}}, "'sk' is beyond"),
        (BINARY_KEYS, {"pk": {"N": "1"}, "sk": {"B": "AAAA" * 342}}, "'sk' has 1026 bytes, at most 1024"),
    ],
)
async def test_a_key_that_dynamodb_can_not_have_is_told_before_it_is_asked(keys, values, text):
    async with Service(World(keys=keys)) as service:
        with pytest.raises(InvalidError, match=text):
            await replicated(service, values)


@pytest.mark.parametrize(
    "values",
    [
        {"pk": {"S": "a" * 2048}, "sk": {"N": "0"}},
        {"pk": {"S": "a"}, "sk": {"N": "-" + "9" * 38 + "e88"}},
        {"pk": {"S": "a"}, "sk": {"N": "1e-130"}},
        {"pk": {"S": "a"}, "sk": {"N": "100000000000000000000000000000000000000000"}},
    ],
)
async def test_the_largest_and_the_smallest_key_are_taken(values):
    async with Service(World(keys=KEYS)) as service:
        assert await replicated(service, values) == "unchanged"
