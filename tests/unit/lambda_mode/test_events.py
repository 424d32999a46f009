"""What the function is invoked with: the mapping's events, and the records of batches that the mapping gave up."""

from __future__ import annotations

import json

import pytest

from service.errors import HaltError
from service.lambda_mode.events import understood
from tests.unit.lambda_mode.test_engine import ORIGINAL_EVENT

# Lambda Developer Guide, "Retain discarded records for a DynamoDB event source", with that page's placeholders.
FAILED = {
    "requestContext": {
        "requestId": "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    },
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "version": "1.0",
    "timestamp": "2019-11-14T00:13:49.717Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276362",
        "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
        "batchSize": 1,
        "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:04:06.388",
    },
}
IN_S3 = {**FAILED, "payload": json.dumps(ORIGINAL_EVENT)}


def test_an_event_of_the_mapping_is_its_records_and_comes_again():
    found = understood(ORIGINAL_EVENT)
    assert found.records == ORIGINAL_EVENT["Records"]
    assert found.comes_again


@pytest.mark.parametrize("payload", [json.dumps(ORIGINAL_EVENT), ORIGINAL_EVENT])
def test_a_failed_batch_from_s3_is_its_whole_event_and_does_not_come_again(payload):
    found = understood({**FAILED, "payload": payload})
    assert found.records == ORIGINAL_EVENT["Records"]
    assert not found.comes_again


@pytest.mark.parametrize(
    "event",
    [
        FAILED,
        {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(FAILED)}]},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(FAILED)}}]},
    ],
)
def test_a_failed_batch_without_its_records_says_what_to_do(event):
    with pytest.raises(HaltError) as refused:
        understood(event)
    told = str(refused.value)
    assert "shardId-00000001573689847184-864758bb" in told
    assert 'POST /replay {"sequence_number": "800000000003126276362"}' in told
    assert 'POST /verify {"repair": true}' in told


def test_a_note_of_an_object_says_to_send_the_object():
    with pytest.raises(HaltError, match="invoke the function with the object's content"):
        understood({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "aws/lambda/x"}}}]})


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"Records": None},
        {"Records": ["x"]},
        {**FAILED, "payload": "[]"},
        {**FAILED, "payload": "{"},
        {**FAILED, "payload": 7},
        {**FAILED, "DDBStreamBatchInfo": None},
    ],
)
def test_anything_else_is_refused_in_one_line(event):
    with pytest.raises(HaltError) as refused:
        understood(event)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("record", [{"eventSource": "aws:sqs", "body": "hello"}, {"EventSource": "aws:sns", "Sns": 1}])
def test_another_message_is_left_to_the_check_of_the_source(record):
    assert understood({"Records": [record]}).records == [record]
