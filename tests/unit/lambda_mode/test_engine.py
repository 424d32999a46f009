"""One batch of an event source mapping: what is applied, and what a second try may do."""

from __future__ import annotations

import orjson
import pytest

from service.errors import HaltError
from service.model import ViewType
from tests.fakes.event_source import engine_on
from tests.fakes.world import World
from tests.support.lambda_mode.batches import ARN, apply, held, item, records, settings

ORIGINAL_EVENT = {
    "Records": [
        {
            "eventID": "7de3041dd709b024af6f29e4fa13d34c",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-west-2",
            "dynamodb": {
                "ApproximateCreationDateTime": 1479499740,
                "Keys": {"key": {"S": "key1"}},
                "NewImage": {
                    "value": {"S": "value1"},
                    "key": {"S": "key1"},
                    "blob": {"B": "AAEC/w=="},
                    "blobs": {"BS": ["AQ==", "Ag=="]},
                    "number": {"N": "1E-130"},
                },
                "SequenceNumber": "13021600000000001596893679",
                "SizeBytes": 112,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": ARN,
        },
        {
            "eventID": "8d25bd3bf1d2fc1ab5a7bfa8d2a9e5d1",
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-west-2",
            "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
            "dynamodb": {
                "ApproximateCreationDateTime": 1479499741.0,
                "Keys": {"key": {"S": "key2"}},
                "OldImage": {"key": {"S": "key2"}, "value": {"S": "gone"}},
                "SequenceNumber": "13021600000000001596893680",
                "SizeBytes": 38,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": ARN,
        },
    ]
}


async def test_an_event_as_lambda_sends_it_is_applied_with_every_value_exact(world):
    sent = ORIGINAL_EVENT["Records"][0]["dynamodb"]["NewImage"]
    world.source.preset(sent)
    world.replica.preset(item("key2"))
    assert await apply(world, ORIGINAL_EVENT["Records"]) is None
    found = held(world)
    assert found.pop("dynamirror_sequence") == {"S": "13021600000000001596893679".zfill(40)}
    assert "timestamp" in found
    del found["timestamp"]
    assert found == sent
    assert held(world, "key2") is None


async def test_an_item_that_time_to_live_removed_is_kept_where_that_is_configured(world):
    world.replica.preset(item("key2"))
    assert await apply(world, ORIGINAL_EVENT["Records"][1:], skip_ttl_deletes="true") is None
    assert held(world, "key2") is not None


async def test_filters_and_a_transform_are_those_of_the_stream(world):
    world.source.put(item() | {"secret": {"S": "x"}})
    world.source.put(item("key2") | {"draft": {"BOOL": True}})
    transform = "tests.support.transforms:without_drafts"
    assert await apply(world, records(world), transform=transform, exclude_attributes="secret") is None
    found = held(world)
    assert {name: found[name] for name in found.keys() & {"key", "value", "secret", "copied"}} == item() | {
        "copied": {"BOOL": True}
    }
    assert held(world, "key2") is None


async def test_a_transform_that_changes_the_key_makes_a_dead_letter_that_says_so(world):
    world.source.put(item() | {"rename": {"BOOL": True}})
    world.source.put(item("key2"))
    assert await apply(world, records(world), transform="tests.support.transforms:renaming") is None
    stored = [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
    assert [letter.error for letter in stored] == ["the transform changed the item's key, which must stay as it is"]
    assert held(world, "another") is None
    assert held(world, "key2") is not None


async def test_all_changes_of_a_key_come_out_as_its_newest(world):
    for value in ("1", "2", "3"):
        world.source.put(item(value=value))
    world.source.put(item("key2"))
    world.source.delete(item("key2"))
    assert await apply(world, records(world)) is None
    assert held(world)["value"] == {"N": "3"}
    assert held(world, "key2") is None


async def test_a_key_that_is_written_all_the_time_is_brought_as_it_is_now(world):
    world.source.put(item(value="1"))
    batch = records(world)
    world.source.put(item(value="2"))  # its own record is on its way
    assert await apply(world, batch) is None
    assert held(world)["value"] == {"N": "2"}
    assert await apply(world, records(world)) is None
    assert held(world)["value"] == {"N": "2"}
    assert "dynamirror_sequence" in held(world)


async def test_a_second_try_in_two_halves_does_not_bring_back_what_was_in_between(world):
    world.source.put(item())
    world.source.delete(item())
    first, second = records(world)
    assert await apply(world, [first, second]) is None
    world.source.put(item())  # the same content again
    assert await apply(world, [first]) is None
    assert held(world) is not None
    assert await apply(world, [second]) is None
    assert held(world) is not None, "the deletion is older than what the replica had shown"


async def test_a_batch_that_comes_again_writes_nothing(world):
    for key in ("key1", "key2", "key3"):
        world.source.put(item(key))
    assert await apply(world, records(world)) is None
    before = dict(world.replica.writes)
    assert await apply(world, records(world)) is None
    assert world.replica.writes == before


async def test_a_keys_only_stream_is_served_by_the_source(world):
    world = World(seed=4, view_type=ViewType.KEYS_ONLY)
    world.source.put(item())
    world.source.put(item("key2"))
    world.source.delete(item("key2"))
    assert await apply(world, records(world)) is None
    assert held(world)["value"] == {"N": "1"}
    assert held(world, "key2") is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"eventSource": "aws:s3"}, "of a DynamoDB stream, and got one of 'aws:s3'"),
        ({}, "and got one of None"),
        (
            {"eventSource": "aws:dynamodb", "eventSourceARN": "arn:aws:dynamodb:us-west-2:1:table/other/stream/x"},
            "replicates master-table, and got a record of other",
        ),
    ],
)
async def test_a_foreign_record_is_refused_with_what_to_do(world, record, message):
    with pytest.raises(HaltError, match=message):
        await apply(world, [record])


async def test_records_are_logged_only_where_that_is_asked_for(world):
    world.source.put(item())
    seen = []
    engine = await engine_on(world.process(), settings())
    engine._log_records = seen.extend
    await engine.apply(records(world), 10.0)
    assert [orjson.loads(change.image) for change in seen] == [item()]


async def test_an_item_that_the_transform_leaves_out_leaves_the_replica(world):
    world.source.put(item("key2") | {"draft": {"BOOL": True}})
    world.replica.preset(item("key2"))
    transform = "tests.support.transforms:without_drafts"
    assert await apply(world, records(world), transform=transform) is None
    assert held(world, "key2") is None
