"""One control plane: `dynamirror run --admin-only` for a replica that a function of ministack maintains."""

from __future__ import annotations

import pytest

from tests.servers import create_streamed_table
from tests.servers.functions import contents, until
from tests.support.installed.product import Product

METADATA = ("timestamp", "dynamirror_sequence")

pytestmark = [
    # aiohttp's, about the zip in one request: nothing else runs in this event loop meanwhile
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]


class Pipeline:
    def __init__(self, functions, source, replica, mapping, control):
        self.functions = functions
        self.source = source
        self.replica = replica
        self.mapping = mapping
        self.control = control

    async def put(self, key, value="1"):
        await self.functions.dynamodb.put_item(TableName=self.source, Item={"key": {"S": key}, "value": {"S": value}})

    async def until_equal(self):
        async def are_equal():
            right = await contents(self.functions.dynamodb, self.replica, *METADATA)
            return await contents(self.functions.dynamodb, self.source) == right

        await until(are_equal, "both tables are equal")

    async def state(self):
        return (await self.functions.client.get_event_source_mapping(UUID=self.mapping))["State"]


@pytest.fixture
async def pipeline(functions, unique_name):
    source, replica, control = unique_name("master"), unique_name("replica"), unique_name("control")
    arn = await create_streamed_table(functions.dynamodb, source)
    await create_streamed_table(functions.dynamodb, replica, view_type=None)
    name = await functions.create(source, replica, DYNAMIRROR_CONTROL_TABLE=control)
    return Pipeline(functions, source, replica, await functions.map(name, arn), control)


@pytest.fixture
async def admin(pipeline, ministack):
    tables = (pipeline.source, pipeline.replica)
    async with Product(ministack, tables, control_table=pipeline.control, lease_seconds=60) as product:
        yield await product.start("--admin-only")


async def done(admin, path):
    async def is_over():
        answer = await admin.get(path)
        if answer.status_code == 503:  # the control table took longer than a request may
            return None
        job = answer.json()["items"][0]
        return job if job["state"] != "running" else None

    job = await until(is_over, f"{path} are over")
    assert job["state"] == "done", job
    return job


async def test_the_status_is_that_of_the_mapping_and_the_lag_is_not_invented(pipeline, admin):
    status = await admin.until(lambda status: status["state"] == "running" and status["role"] == "active")
    assert status["lag"] == {
        "seconds": None,
        "unapplied_records": None,
        "keys_in_doubt": None,
        "oldest_unapplied_at": None,
        "caught_up": False,
    }
    assert status["shards"] == []
    assert status["active"] == status["process"]
    assert status["active_since"] is not None
    assert (await admin.get("/readyz")).status_code == 200
    assert (await admin.get("/metrics")).status_code == 200


async def test_pause_and_resume_switch_the_mapping(pipeline, admin):
    await pipeline.put("a")
    await pipeline.until_equal()
    answer = await admin.post("/pause")
    assert answer.json()["state"] == "paused", answer.text
    assert await pipeline.state() == "Disabled"
    await pipeline.put("b")
    assert "b" not in await contents(pipeline.functions.dynamodb, pipeline.replica)
    assert (await admin.post("/resume")).json()["state"] == "running"
    await pipeline.until_equal()


async def test_verify_snapshot_and_single_items_mend_what_lambda_maintains(pipeline, admin):
    await admin.until(lambda status: status["role"] == "active")
    for key in "abc":
        await pipeline.put(key)
    await pipeline.until_equal()
    dynamodb = pipeline.functions.dynamodb
    await dynamodb.delete_item(TableName=pipeline.replica, Key={"key": {"S": "a"}})
    assert (await admin.post("/snapshot")).status_code == 202
    assert (await done(admin, "/snapshots"))["items_written"] == 1
    await pipeline.until_equal()
    await dynamodb.put_item(TableName=pipeline.replica, Item={"key": {"S": "x"}})
    assert (await admin.post("/verify", {"repair": True})).status_code == 202
    job = await done(admin, "/verifications")
    assert (job["extra"], job["repaired"]) == (1, 1)
    await pipeline.until_equal()
    await dynamodb.delete_item(TableName=pipeline.replica, Key={"key": {"S": "b"}})
    answer = await admin.post("/replicate", {"keys": {"key": {"S": "b"}}})
    assert answer.json() == {"outcome": "written"}
    await pipeline.put("b", "2")  # Lambda goes on from what a repair has left
    await pipeline.until_equal()
    assert (await admin.status())["last_verification"]["id"] == job["id"]


async def test_dead_letters_of_lambda_are_listed_redriven_and_discarded(pipeline, admin):
    await admin.until(lambda status: status["role"] == "active")
    record = {"eventName": "WHAT", "eventSource": "aws:dynamodb"}
    stream = {"SequenceNumber": "13021600000000001596893679", "Keys": {"key": {"S": "a"}}}
    name = pipeline.functions.names[0]
    event = {"Records": [{**record, "dynamodb": stream}]}
    assert await pipeline.functions.invoke(name, event) == ({"batchItemFailures": []}, False)
    (letter,) = (await admin.get("/dead-letters")).json()["items"]
    assert letter["keys"] == {"key": {"S": "a"}}
    await pipeline.put("a")
    await pipeline.until_equal()
    answer = (await admin.post("/dead-letters/redrive", {"ids": [letter["id"]]})).json()
    assert answer["failed"] == 0, answer
    assert (await admin.get("/dead-letters")).json()["items"] == []


async def test_a_replay_is_refused_with_what_to_do_instead(pipeline, admin):
    answer = await admin.post("/replay", {"from": "trim_horizon"})
    assert answer.status_code == 409
    assert "verify with repair" in answer.json()["detail"]


async def test_without_a_mapping_it_is_not_ready_and_says_why(pipeline, admin):
    await pipeline.functions.client.delete_event_source_mapping(UUID=pipeline.mapping)
    pipeline.functions.forget(pipeline.mapping)
    status = await admin.until(lambda status: status["state"] == "failed")
    assert "no event source mapping" in status["reason"]
    assert (await admin.get("/readyz")).status_code == 503
    assert (await admin.post("/pause")).status_code == 409
