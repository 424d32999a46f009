"""The fault-injecting DynamoDB itself: that it misbehaves as it says, and tells the truth about what happened."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.servers import Server, post, sdk_client
from tests.support.chaos.faults import Outage, Rates, Role
from tests.support.chaos.night import Night
from tests.support.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.needs("conditions hold among many at once")


@pytest.fixture
async def night(server: Server, unique_name: Callable[[str], str]) -> AsyncIterator[Night]:
    async with Night(server, unique_name, seed=3) as night:
        yield night


async def read_all(streams: Any, arn: str, wanted: int) -> dict[str, list[str]]:
    """What a patient reader gets, shard by shard, parents first: the values of each key in order."""
    values: dict[str, list[str]] = {}
    done: set[str] = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(map(len, values.values())) < wanted:
            for shard in await described(streams, arn):
                name, parent = shard["ShardId"], shard.get("ParentShardId")
                if name not in done and (parent is None or parent in done):
                    done.add(name)
                    await read_shard(streams, arn, shard, values)
    return values


async def described(streams: Any, arn: str) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = []
    last: dict[str, str] = {}
    while True:
        page = (await streams.describe_stream(StreamArn=arn, **last))["StreamDescription"]
        shards += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return shards
        last = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


async def read_shard(streams: Any, arn: str, shard: dict[str, Any], values: dict[str, list[str]]) -> None:
    answer = await streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    iterator, empties = answer["ShardIterator"], 0
    while iterator and empties < 8:
        page = await streams.get_records(ShardIterator=iterator)
        empties = 0 if page["Records"] else empties + 1
        for record in page["Records"]:
            change = record["dynamodb"]
            values.setdefault(change["Keys"]["key"]["S"], []).append(change["NewImage"]["n"]["N"])
        iterator = page.get("NextShardIterator")


async def write_through_splits(night: Night) -> dict[str, list[str]]:
    expected: dict[str, list[str]] = {}
    for number in range(60):
        key = f"k{number % 7}"
        expected.setdefault(key, []).append(str(number))
        await night.put(key={"S": key}, n={"N": str(number)})
        if number in (15, 30, 45):
            await night.until_seen()
            night.stream.lineage.split() if number == 30 else night.stream.lineage.roll()
    await night.until_seen()
    return expected


async def test_one_real_shard_is_shown_as_a_lineage_that_loses_and_repeats_nothing(night: Night) -> None:
    night.stream.wild()
    expected = await write_through_splits(night)
    night.stream.lineage.close_all()
    async with sdk_client(await night.proxy.door("reader"), "dynamodbstreams") as streams:
        assert await read_all(streams, night.arn, 60) == expected
        found: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < 5:  # each list may be late, or leave some out
                found |= {shard["ShardId"]: shard for shard in await described(streams, night.arn)}
    assert len(found) == 5
    assert all(shard.get("ParentShardId") in {None, *found} for shard in found.values())


async def test_iterators_expire_and_history_is_trimmed_on_demand(night: Night) -> None:
    await night.put(key={"S": "a"}, n={"N": "1"})
    await night.until_seen()
    async with sdk_client(await night.proxy.door("reader"), "dynamodbstreams") as streams:
        shard = (await described(streams, night.arn))[0]
        place = {"StreamArn": night.arn, "ShardId": shard["ShardId"]}
        iterator = (await streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON"))["ShardIterator"]
        number = (await streams.get_records(ShardIterator=iterator))["Records"][0]["dynamodb"]["SequenceNumber"]
        night.stream.lineage.trim(shard["ShardId"])
        with pytest.raises(streams.exceptions.TrimmedDataAccessException):
            await streams.get_records(ShardIterator=iterator)
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
        iterator = (await streams.get_shard_iterator(**place, **after))["ShardIterator"]
        night.stream.expire_iterators()
        with pytest.raises(streams.exceptions.ExpiredIteratorException):
            await streams.get_records(ShardIterator=iterator)


def batch(night: Night, count: int) -> dict[str, Any]:
    requests = [{"PutRequest": {"Item": {"key": {"S": f"k{number}"}}}} for number in range(count)]
    return {"RequestItems": {night.replica: requests}}


async def held(night: Night) -> set[str]:
    answer = await night.dynamodb.scan(TableName=night.replica, ConsistentRead=True)
    return {item["key"]["S"] for item in answer["Items"]}


async def test_a_batch_is_done_in_part_and_the_witness_knows_which(night: Night) -> None:
    url = await night.proxy.door("writer")
    night.proxy.plan.of[Role.REPLICA].rates = Rates(unprocessed=1.0)
    answer = (await post(url, "BatchWriteItem", batch(night, 20))).json()
    left = {one["PutRequest"]["Item"]["key"]["S"] for one in answer["UnprocessedItems"][night.replica]}
    assert left
    assert await held(night) == {f"k{number}" for number in range(20)} - left
    assert {json.loads(key)["key"]["S"] for key in night.proxy.witness.replica} == await held(night)


@pytest.mark.parametrize(
    ("fault", "took_effect"), [("reset_before", False), ("reset_after", True), ("truncated", True)]
)
async def test_a_lost_answer_leaves_it_open_what_happened(night: Night, fault: str, took_effect: bool) -> None:
    url = await night.proxy.door("writer")
    setattr(night.proxy.plan.of[Role.REPLICA].rates, fault, 1.0)
    with pytest.raises(Exception, match=r"(?i)reset|disconnect|payload|length"):
        await post(url, "BatchWriteItem", batch(night, 3))
    assert len(await held(night)) == 3 * took_effect
    assert len(night.proxy.witness.replica) == 3 * took_effect


async def test_outages_refusals_and_poison_concern_the_one_table(night: Night) -> None:
    url = await night.proxy.door("writer")
    plan = night.proxy.plan
    plan.of[Role.SOURCE].outage = Outage.UNAVAILABLE
    plan.of[Role.REPLICA].refusal = ("AccessDeniedException", "not allowed")
    scan = {"TableName": night.source}
    assert (await post(url, "Scan", scan)).status == 503
    refused = await post(url, "BatchWriteItem", batch(night, 1))
    assert refused.json()["__type"].endswith("#AccessDeniedException")
    plan.calm()
    assert (await post(url, "Scan", scan)).status == 200
    plan.of[Role.REPLICA].poison = re.compile("k1")
    assert (await post(url, "BatchWriteItem", batch(night, 3))).status == 400
    assert await held(night) == set()
    assert (await post(url, "BatchWriteItem", batch(night, 1))).status == 200


async def test_what_is_not_applied_yet_is_known(night: Night) -> None:
    url = await night.proxy.door("writer")
    witness = night.proxy.witness
    await night.put(key={"S": "a"}, n={"N": "1"})
    await night.until_seen()
    assert witness.oldest_unapplied_at() is not None
    put = {"TableName": night.replica, "Item": {"key": {"S": "a"}, "n": {"N": "1"}, "timestamp": {"S": "now"}}}
    assert (await post(url, "PutItem", put)).status == 200
    assert witness.oldest_unapplied_at() is None
