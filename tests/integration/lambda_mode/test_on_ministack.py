"""The zip as a function of ministack, mapped to a stream: the system of the original post, end to end.

What ministack leaves out: it takes no notice of `batchItemFailures` of a stream's function, does not bisect, and runs
one batch of a mapping at a time. Those are tested without it (tests/property/test_lambda.py).
"""

from __future__ import annotations

import json

import pytest

from tests.servers import create_streamed_table
from tests.servers.functions import contents, until

METADATA = ("timestamp", "dynamirror_sequence")

pytestmark = [
    # aiohttp's, about the zip in one request: nothing else runs in this event loop meanwhile
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]


@pytest.fixture
async def tables(functions, unique_name):
    """The source's and the replica's name, and the stream's ARN."""
    source, replica = unique_name("master"), unique_name("replica")
    arn = await create_streamed_table(functions.dynamodb, source)
    await create_streamed_table(functions.dynamodb, replica, view_type=None)
    return source, replica, arn


def equal(functions, source, replica):
    async def are_equal():
        left = await contents(functions.dynamodb, source)
        right = await contents(functions.dynamodb, replica, *METADATA)
        return bool(left == right)

    return are_equal


async def test_the_walk_through_of_the_original_post(functions, tables):
    source, replica, arn = tables
    dynamodb = functions.dynamodb
    await functions.map(await functions.create(source, replica), arn)

    await dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "value": {"S": "value1"}})
    await until(equal(functions, source, replica), "the item is in the replica")
    found = (await contents(dynamodb, replica))["key1"]
    assert set(found) == {"key", "value", *METADATA}
    assert len(found["dynamirror_sequence"]["S"]) == 40

    await dynamodb.update_item(
        TableName=source,
        Key={"key": {"S": "key1"}},
        UpdateExpression="SET #value = :value",
        ExpressionAttributeNames={"#value": "value"},
        ExpressionAttributeValues={":value": {"S": "value2"}},
    )
    await until(equal(functions, source, replica), "the new value is in the replica")

    await dynamodb.put_item(TableName=source, Item={"key": {"S": "key2"}, "data": {"B": b"\x00\x01\xff"}})
    await dynamodb.delete_item(TableName=source, Key={"key": {"S": "key1"}})
    await until(equal(functions, source, replica), "the deletion and the binary value are in the replica")
    assert set(await contents(dynamodb, replica)) == {"key2"}


async def test_many_writes_come_out_equal_but_for_what_the_mapping_filters_out(functions, tables):
    source, replica, arn = tables
    pattern = json.dumps({"dynamodb": {"Keys": {"key": {"S": [{"prefix": "k"}]}}}})
    name = await functions.create(source, replica)
    await functions.map(name, arn, BatchSize=25, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    await functions.dynamodb.put_item(TableName=source, Item={"key": {"S": "other"}})
    for number in range(120):
        key = {"key": {"S": f"k{number % 17}"}}
        if number % 5 == 4:
            await functions.dynamodb.delete_item(TableName=source, Key=key)
        else:
            await functions.dynamodb.put_item(TableName=source, Item={**key, "n": {"N": str(number)}})
    wanted = await contents(functions.dynamodb, source)
    del wanted["other"]

    async def are_equal():
        return await contents(functions.dynamodb, replica, *METADATA) == wanted

    await until(are_equal, "both tables are equal, but for the other item")


async def test_a_replica_that_is_missing_at_first_costs_nothing_but_time(functions, unique_name):
    source, replica = unique_name("master"), unique_name("replica")
    arn = await create_streamed_table(functions.dynamodb, source)
    mapping = await functions.map(await functions.create(source, replica), arn)
    await functions.dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}, "n": {"N": "1"}})

    async def has_failed():
        found = await functions.client.get_event_source_mapping(UUID=mapping)
        return found["LastProcessingResult"] == "FAILED"

    await until(has_failed, "the mapping's batch failed")
    await create_streamed_table(functions.dynamodb, replica, view_type=None)
    await until(equal(functions, source, replica), "the item is in the replica")


async def test_poison_becomes_a_dead_letter_and_the_others_arrive(functions, tables, unique_name):
    source, replica, arn = tables
    control = unique_name("control")
    # The replica's index wants another type than the item has.
    await functions.dynamodb.delete_table(TableName=replica)
    await functions.dynamodb.create_table(
        TableName=replica,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "key", "AttributeType": "S"},
            {"AttributeName": "status", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    name = await functions.create(source, replica, DYNAMIRROR_CONTROL_TABLE=control)
    await functions.map(name, arn)
    await functions.dynamodb.put_item(TableName=source, Item={"key": {"S": "bad"}, "status": {"N": "1"}})
    await functions.dynamodb.put_item(TableName=source, Item={"key": {"S": "good"}, "status": {"S": "ok"}})

    async def has_arrived():
        return "good" in await contents(functions.dynamodb, replica)

    await until(has_arrived, "the good item is in the replica")

    async def letters():
        found = (await functions.dynamodb.scan(TableName=control))["Items"]
        return [item for item in found if item["item"]["S"].startswith("dead")]

    assert await until(letters, "a dead letter is stored")
    assert "bad" not in await contents(functions.dynamodb, replica)


async def test_a_batch_that_is_given_up_is_told_to_the_failure_destination(functions, unique_name):
    source = unique_name("master")
    arn = await create_streamed_table(functions.dynamodb, source)
    url, queue_arn = await functions.queue()
    destination = {"OnFailure": {"Destination": queue_arn}}
    name = await functions.create(source, unique_name("never-made"))
    # AWS takes 60 s and more, ministack any age.
    await functions.map(name, arn, MaximumRecordAgeInSeconds=1, DestinationConfig=destination)
    await functions.dynamodb.put_item(TableName=source, Item={"key": {"S": "key1"}})

    async def message():
        found = await functions.sqs.receive_message(QueueUrl=url)
        return found["Messages"][0]["Body"] if "Messages" in found else None

    told = json.loads(await until(message, "the failure was told"))
    assert told["requestContext"]["condition"] == "MaxRecordAgeExceeded"
    assert told["DDBStreamBatchInfo"]["streamArn"] == arn
    assert told["DDBStreamBatchInfo"]["startSequenceNumber"], "what a replay may begin at"


async def test_events_that_are_empty_or_foreign_get_a_clear_answer(functions, tables):
    source, replica, _ = tables
    name = await functions.create(source, replica)
    assert await functions.invoke(name, {"Records": []}) == ({"batchItemFailures": []}, False)
    for event, expected in (
        ({}, "events of a DynamoDB stream"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, "got one of 'aws:sqs'"),
    ):
        answer, is_error = await functions.invoke(name, event)
        assert is_error
        assert expected in answer["errorMessage"]


async def test_a_bad_setting_is_named_in_the_answer(functions, tables):
    source, replica, _ = tables
    name = await functions.create(source, replica, DYNAMIRROR_WRITER="4")
    answer, is_error = await functions.invoke(name, {"Records": [{"eventSource": "aws:dynamodb"}]})
    assert is_error
    assert "DYNAMIRROR_WRITER: unknown setting (did you mean DYNAMIRROR_WRITERS?)" in answer["errorMessage"]
    assert json.dumps(answer).count("Traceback") == 0
