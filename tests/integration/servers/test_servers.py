"""The servers that the other tests stand on."""

import os

import pytest

from tests.servers import (
    NAMES,
    create_streamed_table,
    read_stream,
    running,
    scan,
    set_stream,
)


async def test_a_write_appears_in_the_stream(server, dynamodb, dynamodb_streams, unique_name):
    table = unique_name("source")
    stream_arn = await create_streamed_table(dynamodb, table)
    item = {"key": {"S": "key1"}, "value": {"S": "value1"}}

    await dynamodb.put_item(TableName=table, Item=item)
    await dynamodb.delete_item(TableName=table, Key={"key": {"S": "key1"}})

    records = await read_stream(dynamodb_streams, stream_arn, 2)
    assert [record["eventName"] for record in records] == ["INSERT", "REMOVE"]
    assert records[0]["dynamodb"]["NewImage"] == item
    assert await scan(dynamodb, table) == []


@pytest.mark.needs("a stream is switched on again")
async def test_a_stream_that_was_turned_off_and_on_is_another_one(dynamodb, unique_name):
    table = unique_name("source")
    first = await create_streamed_table(dynamodb, table, keys={"pk": "S", "sk": "N"})

    await set_stream(dynamodb, table, None)
    second = await set_stream(dynamodb, table, "KEYS_ONLY")

    assert first != second


@pytest.mark.parametrize("started", NAMES)
def test_a_server_is_gone_when_its_block_ends(started):
    with running(started) as server:
        os.kill(server.process_id, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(server.process_id, 0)
