"""`service.lambda_handler.handler` itself, called as Lambda's runtime calls it, against real servers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from service import lambda_handler
from tests.servers import create_streamed_table, delete_table, environment, sdk_client, set_stream
from tests.servers.functions import contents
from tests.servers.recorder import recording
from tests.support.lambda_mode.invocation import Context, event_of, invoke
from tests.unit.lambda_mode.test_events import FAILED

METADATA = ("timestamp", "dynamirror_sequence")


@pytest.fixture
def pipeline(server, unique_name, monkeypatch):
    """Sets the function's environment; the function forgets everything when the test ends."""
    names = {"source": unique_name("master"), "replica": unique_name("replica"), "control": unique_name("control")}
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    for name, value in server.settings().items():
        monkeypatch.setenv(name, value)
    for name, table in names.items():
        monkeypatch.setenv(f"DYNAMIRROR_{name.upper()}_TABLE", table)
    yield names
    lambda_handler.forget()


@asynccontextmanager
async def clients(server):
    async with (
        sdk_client(server.endpoint_url) as dynamodb,
        sdk_client(server.endpoint_url, "dynamodbstreams") as streams,
    ):
        yield dynamodb, streams


async def test_everything_that_the_stream_has_comes_out_equal_however_often(server, pipeline):
    async with clients(server) as (dynamodb, streams):
        arn = await create_streamed_table(dynamodb, pipeline["source"])
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        present, wanted = set(), 0
        for number in range(40):
            key = {"key": {"S": f"k{number % 7}"}}
            wanted += number % 4 != 3 or number % 7 in present  # a delete of nothing makes no record
            if number % 4 == 3:
                present.discard(number % 7)
                await dynamodb.delete_item(TableName=pipeline["source"], Key=key)
            else:
                present.add(number % 7)
                item = {**key, "n": {"N": str(number)}, "list": {"L": [{"NULL": True}, {"N": "1E-30"}]}}
                await dynamodb.put_item(TableName=pipeline["source"], Item=item)
        event = await event_of(streams, arn, wanted)
        middle = len(event["Records"]) // 2
        halves = [{"Records": event["Records"][:middle]}, {"Records": event["Records"][middle:]}]
        for each in (halves[0], event, *halves, event):
            assert await invoke(each) == {"batchItemFailures": []}
        source = await contents(dynamodb, pipeline["source"])
        assert await contents(dynamodb, pipeline["replica"], *METADATA) == source
        numbered = await contents(dynamodb, pipeline["replica"])
        assert all("timestamp" in item for item in numbered.values())


@pytest.mark.needs("requests may pass through another host")
async def test_a_warm_invocation_looks_at_its_items_and_at_nothing_else(server, pipeline, monkeypatch):
    async with clients(server) as (dynamodb, streams), recording(server) as (recorded, recorder):
        for name, value in recorded.settings().items():
            monkeypatch.setenv(name, value)
        arn = await create_streamed_table(dynamodb, pipeline["source"])
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        for wanted, key in enumerate(("cold", "warm"), 1):
            recorder.asked.clear()
            await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": key}})
            assert await invoke(await event_of(streams, arn, wanted)) == {"batchItemFailures": []}
        source, replica = pipeline["source"], pipeline["replica"]
        assert recorder.asked == {("BatchGetItem", source), ("BatchGetItem", replica), ("PutItem", replica)}


async def test_a_dead_letter_is_a_metric_on_standard_output_and_nothing_else_is(server, pipeline, monkeypatch, capsys):
    monkeypatch.setenv("DYNAMIRROR_TRANSFORM", "tests.support.transforms:renaming")
    async with clients(server) as (dynamodb, streams):
        arn = await create_streamed_table(dynamodb, pipeline["source"])
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": "a"}})
        assert await invoke(await event_of(streams, arn)) == {"batchItemFailures": []}
        assert capsys.readouterr().out == ""
        await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": "b"}, "rename": {"BOOL": True}})
        assert await invoke(await event_of(streams, arn, 2)) == {"batchItemFailures": []}
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["pipeline"] == f"{pipeline['source']}--{pipeline['replica']}"
    assert found["records_dead_lettered"] == 1


async def test_a_start_that_failed_is_made_anew_by_the_next_invocation(server, pipeline):
    async with clients(server) as (dynamodb, streams):
        arn = await create_streamed_table(dynamodb, pipeline["source"])
        await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": "a"}})
        event = await event_of(streams, arn)
        with pytest.raises(RuntimeError, match=pipeline["replica"]):
            await invoke(event)
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        assert await invoke(event) == {"batchItemFailures": []}
        assert set(await contents(dynamodb, pipeline["replica"])) == {"a"}


async def test_a_source_without_a_stream_is_told_how_to_switch_it_on(server, pipeline):
    async with clients(server) as (dynamodb, _):
        await create_streamed_table(dynamodb, pipeline["source"])
        await set_stream(dynamodb, pipeline["source"], None)
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        with pytest.raises(RuntimeError, match="has no stream; switch it on"):
            await invoke({"Records": [{"eventSource": "aws:dynamodb"}]})


async def test_a_replica_that_is_gone_leaves_the_batch_unsettled_in_time(server, pipeline):
    async with clients(server) as (dynamodb, streams):
        arn = await create_streamed_table(dynamodb, pipeline["source"])
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": "a"}})
        assert await invoke(await event_of(streams, arn)) == {"batchItemFailures": []}
        await delete_table(dynamodb, pipeline["replica"])
        await dynamodb.put_item(TableName=pipeline["source"], Item={"key": {"S": "b"}})
        event = await event_of(streams, arn, 2)
        first = event["Records"][0]["dynamodb"]["SequenceNumber"]
        assert await invoke(event, seconds=3.0) == {"batchItemFailures": [{"itemIdentifier": first}]}
        failed = {**FAILED, "payload": json.dumps(event)}
        with pytest.raises(RuntimeError, match=f"from {first} on: invoke it again"):
            await invoke(failed, seconds=3.0)
        await create_streamed_table(dynamodb, pipeline["replica"], view_type=None)
        assert await invoke(failed) == {"batchItemFailures": []}
        assert set(await contents(dynamodb, pipeline["replica"])) == {"a", "b"}
        assert await invoke(event) == {"batchItemFailures": []}
        assert set(await contents(dynamodb, pipeline["replica"])) == {"a", "b"}


@pytest.mark.parametrize("event", [None, {}, [], {"Records": None}, {"Records": ["x"]}, "text"])
def test_what_is_no_event_of_a_stream_gets_a_clear_answer(event):
    try:
        with pytest.raises(RuntimeError, match="takes events of a DynamoDB stream"):
            lambda_handler.handler(event, Context())
        assert lambda_handler.handler({"Records": []}, Context()) == {"batchItemFailures": []}
    finally:
        lambda_handler.forget()
