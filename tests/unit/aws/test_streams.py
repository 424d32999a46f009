"""service.aws.streams on a scripted wire: what no emulator answers."""

import json

import pytest

from service.aws.call_rate import CallRate
from service.aws.streams import DynamoStreams
from service.errors import UnavailableError
from service.model import KeyAttribute, Position, SequenceNumber, ShardId, StartAt, StreamStatus, ViewType
from tests.support.scripted_http import ScriptedHttp, WireTo

ARN = "arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
SHARD = ShardId("shardId-1")


class PagedClient:
    """DescribeStream in pages of a hundred, as the service answers it."""

    def __init__(self, shards):
        self.shards = shards
        self.requests = []

    async def describe_stream(self, **request):
        self.requests.append(request)
        start = request.get("ExclusiveStartShardId")
        at = next((n + 1 for n, shard in enumerate(self.shards) if shard["ShardId"] == start), 0)
        page = self.shards[at : at + 100]
        answer = {"StreamArn": ARN, "StreamStatus": "ENABLED", "StreamViewType": "NEW_IMAGE", "Shards": page}
        if at + 100 < len(self.shards):
            answer["LastEvaluatedShardId"] = page[-1]["ShardId"]
        return {"StreamDescription": answer}

    async def get_shard_iterator(self, **request):
        self.requests.append(request)
        return {"ShardIterator": "the iterator"}


def streams_on(client, *script):
    http = ScriptedHttp(*script)
    schema = (KeyAttribute("k", "S"),)
    return DynamoStreams(WireTo(client, http), ARN, schema, ViewType.NEW_IMAGE), http


async def test_all_pages_of_a_description_are_read():  # E1
    shards = [{"ShardId": f"shardId-{number:03}", "SequenceNumberRange": {}} for number in range(250)]
    client = PagedClient(shards)

    described = await streams_on(client)[0].describe()

    assert [shard.shard_id for shard in described.shards] == [shard["ShardId"] for shard in shards]
    assert len(client.requests) == 3
    assert described.status is StreamStatus.ENABLED


async def test_each_page_of_a_description_keeps_to_the_rate_of_all_that_describe():
    asked: list[int] = []

    class Rate(CallRate):
        async def wait(self):
            asked.append(len(client.requests))

    client = PagedClient([{"ShardId": f"shardId-{number:03}", "SequenceNumberRange": {}} for number in range(250)])
    schema = (KeyAttribute("k", "S"),)
    await DynamoStreams(WireTo(client), ARN, schema, ViewType.NEW_IMAGE, Rate(10)).describe()
    assert asked == [0, 1, 2]


async def test_a_shard_may_leave_out_everything_but_its_id():  # E80
    numbers = {"StartingSequenceNumber": "100", "EndingSequenceNumber": "900"}
    client = PagedClient(
        [{"ShardId": "bare"}, {"ShardId": "whole", "ParentShardId": "bare", "SequenceNumberRange": numbers}]
    )

    bare, whole = (await streams_on(client)[0].describe()).shards

    assert bare.parent_id is None
    assert bare.is_open
    assert whole.parent_id == "bare"
    assert (whole.starting, whole.ending) == (SequenceNumber(100), SequenceNumber(900))


async def test_a_position_asks_for_its_kind_of_iterator():
    client = PagedClient([])
    streams, _ = streams_on(client)

    await streams.iterator(SHARD, Position())
    await streams.iterator(SHARD, Position(start=StartAt.LATEST))
    await streams.iterator(SHARD, Position(after=SequenceNumber.parse("0" * 20 + "7"), start=StartAt.LATEST))

    kinds = [(request["ShardIteratorType"], request.get("SequenceNumber")) for request in client.requests]
    assert kinds == [("TRIM_HORIZON", None), ("LATEST", None), ("AFTER_SEQUENCE_NUMBER", "0" * 20 + "7")]


async def test_a_limit_stays_within_what_the_service_takes():  # E12
    empty = b'{"Records":[]}'
    streams, http = streams_on(PagedClient([]), empty, empty, empty)

    for limit in (0, 500, 5000):
        await streams.read(SHARD, 'an "iterator"', limit)

    asked = [json.loads(body) for body, _, _ in http.requests]
    assert [request["Limit"] for request in asked] == [1, 500, 1000]
    assert {request["ShardIterator"] for request in asked} == {'an "iterator"'}


async def test_the_last_page_of_a_closed_shard_has_records_and_no_iterator():  # E3
    record = {"eventName": "REMOVE", "dynamodb": {"Keys": {"k": {"S": "a"}}, "SequenceNumber": "1"}}
    streams, _ = streams_on(PagedClient([]), json.dumps({"Records": [record]}).encode())

    page = await streams.read(SHARD, "i", 10)

    assert len(page.changes) == 1
    assert page.next_iterator is None


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b"", b'{"NextShardIterator":"j"}', b'{"Records":null}'])
async def test_a_page_that_is_none_is_read_again(body):
    """Above all, an answer without records and iterator is not the end of a shard."""
    streams, _ = streams_on(PagedClient([]), body)

    with pytest.raises(UnavailableError):
        await streams.read(SHARD, "i", 10)


class LackingClient:
    """Answers what lacks something."""

    def __init__(self, answer):
        self._answer = answer

    async def describe_stream(self, **_):
        return self._answer

    async def get_shard_iterator(self, **_):
        return self._answer


DESCRIBED = {"StreamArn": ARN, "StreamStatus": "ENABLED", "StreamViewType": "NEW_IMAGE", "Shards": []}


@pytest.mark.parametrize("lacking", ["Shards", "StreamStatus", "StreamViewType"])
async def test_a_description_that_lacks_something_is_none(lacking):
    """Without `Shards` it would read as a stream whose history is lost."""
    kept = {name: value for name, value in DESCRIBED.items() if name != lacking}

    for answer in ({}, {"StreamDescription": kept}, {"StreamDescription": {**DESCRIBED, "Shards": [{}]}}):
        with pytest.raises(UnavailableError):
            await streams_on(LackingClient(answer))[0].describe()


async def test_an_answer_without_an_iterator_is_none():
    with pytest.raises(UnavailableError):
        await streams_on(LackingClient({}))[0].iterator(SHARD, Position())
