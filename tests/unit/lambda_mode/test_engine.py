"""One batch of an event source mapping: what is applied, what is answered, and what a second try may do."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import orjson
import pytest

from api.payloads import DeadLetterDetail
from service.configuration.settings import load_settings
from service.errors import ChangeError, HaltError, RefusedError, UnavailableError
from service.events import Warned
from service.lambda_mode.engine import SHARD
from service.model import Put, ViewType
from service.operations.dead_letters.dead_letters import Letters
from tests.fakes.clock import EPOCH
from tests.fakes.event_source import engine_on, event_record
from tests.fakes.images import item_of, key_of
from tests.fakes.world import World


def settings(**named):
    tables = {"source_table": "master-table", "replica_table": "replica-table"}
    return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in (tables | named).items()})


@pytest.fixture
def world():
    return World(seed=3)


def item(key="key1", value="1"):
    return {"key": {"S": key}, "value": {"N": value}}


def records(world):
    return [event_record(record.content) for shard in world.source.stream.shards.values() for record in shard.records]


def held(world, key="key1"):
    image = world.replica.items.get(key_of(item(key)))
    return None if image is None else item_of(image)


async def apply(world, batch, seconds=30.0, observers=(), **named):
    return await (await engine_on(world.process(), settings(**named), *observers)).apply(batch, seconds)


ARN = "arn:aws:dynamodb:us-west-2:111122223333:table/master-table/stream/2016-11-16T20:42:48.104"
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


async def test_what_is_not_settled_in_time_is_answered_from_the_lowest_number_on(world):
    for key in ("key1", "key2", "key3"):
        world.source.put(item(key))
    batch = records(world)
    told = []
    world.plan.outage("replica", EPOCH + 5, EPOCH + 500, UnavailableError("down", "EndpointConnectionError"))

    class Told:
        def observe(self, event):
            told.append(event)

    engine = await engine_on(world.process(), settings(), Told())
    assert await engine.apply(batch[:1], 4.0) is None
    await asyncio.sleep(10)
    lowest = await engine.apply(batch, 20.0)
    assert str(lowest) == batch[0]["dynamodb"]["SequenceNumber"]
    assert held(world, "key2") is None
    assert any(isinstance(event, Warned) and "3 records" in event.text for event in told)


async def test_the_answer_comes_in_time_and_names_why_the_replica_takes_nothing(world):
    world.source.put(item())
    started = world.clock.now()
    told = []

    class Told:
        def observe(self, event):
            told.append(event)

    world.plan.outage("replica", EPOCH + 1, EPOCH + 900, RefusedError("access is denied", "AccessDeniedException"))
    engine = await engine_on(world.process(), settings(), Told())
    await asyncio.sleep(2)
    lowest = await engine.apply(records(world), 8.0)
    assert lowest is not None
    assert world.clock.now() - started <= 10.5
    assert held(world) is None


async def test_only_what_comes_from_the_unsettled_number_on_is_named(world):
    for key in ("key1", "key2", "key3"):
        world.source.put(item(key))
    stuck = key_of(item("key2"))
    world.replica.poison = lambda write: UnavailableError("down", "X") if write.key == stuck else None
    lowest = await apply(world, records(world), seconds=10.0)
    assert str(lowest) == records(world)[1]["dynamodb"]["SequenceNumber"]
    assert held(world, "key1") is not None
    assert held(world, "key3") is not None


async def test_poison_is_stored_once_however_often_its_batch_comes(world):
    world.source.put(item())
    world.source.put(item("key2"))
    poisoned = key_of(item())

    def poison(write):
        return ChangeError("not this one") if isinstance(write, Put) and write.key == poisoned else None

    world.replica.poison = poison
    for _ in range(2):
        assert await apply(world, records(world)) is None
    stored = [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
    assert [letter.shard_id for letter in stored] == [SHARD]
    assert held(world, "key2") is not None


async def test_a_record_that_nobody_understands_is_stored_and_holds_nothing_back(world):
    world.source.put(item())
    world.source.add_unreadable(item("key2"))
    assert await apply(world, records(world)) is None
    stored = [letter for pipeline in world.control.pipelines.values() for letter in pipeline.letters.values()]
    assert [letter.event_name for letter in stored] == ["EXPLODE"]
    assert held(world) is not None


async def test_a_record_without_a_number_that_can_not_be_stored_fails_the_batch(world):
    world.plan.outage("control", EPOCH, EPOCH + 900, UnavailableError("down", "X"))
    with pytest.raises(HaltError, match="without a sequence number"):
        await apply(world, [{"eventSource": "aws:dynamodb", "eventName": "WHAT"}], seconds=5.0)


async def test_an_unreadable_record_that_could_not_be_stored_in_time_is_answered(world):
    number = world.source.add_unreadable(item())
    world.plan.outage("control", EPOCH, EPOCH + 900, UnavailableError("down", "X"))
    assert await apply(world, records(world), seconds=5.0) == number


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


def odd_record(**inside):
    """A record of Lambda's event as its runtime decodes it: half of a surrogate pair is a character of its own."""
    content = {
        "ApproximateCreationDateTime": 1479499740,
        "Keys": {"key": {"S": "key2"}},
        "NewImage": {"key": {"S": "key2"}, "value": {"S": "a\ud800"}},
        "SequenceNumber": "0".zfill(20) + "5",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    whole = {"eventID": "7de3", "eventName": "INSERT", "eventVersion": "1.1", "awsRegion": "us-west-2"}
    return {**whole, "eventSource": "aws:dynamodb", "eventSourceARN": ARN, "dynamodb": content | inside}


@pytest.mark.parametrize("where", ["an item", "the key", "a name of no key"])
async def test_text_that_is_no_unicode_is_a_dead_letter_and_holds_nothing_up(world, where):
    world.source.put(item("key1"))
    inside = {} if where == "an item" else {"Keys": {"key" if where == "the key" else "k\udfff": {"S": "b\ud800"}}}
    for _ in range(2):
        assert await apply(world, [odd_record(**inside), *records(world)]) is None

    assert held(world) is not None
    (letter,) = world.control.of("source--replica").letters.values()
    assert json.loads(letter.record) == odd_record(**inside)
    assert (letter.attempts, letter.key is None) == (2, where != "an item")
    assert "surrogate" in letter.error
    shown = DeadLetterDetail.model_validate(await shown_of(world, letter.id))
    assert shown.record["eventID"] == "7de3"
    assert "\\ud800" in json.loads(shown.model_dump_json())["record"]["dynamodb"]["NewImage"]["value"]["S"]


async def shown_of(world, letter_id):
    letters = Letters(
        pipeline=SimpleNamespace(on_flow_started=[], on_flow_ended=[]), adapters=world.process().adapters, observer=None
    )
    return await letters.found(letter_id)


async def test_a_refused_record_is_kept_as_lambda_sent_it(world):
    world.source.put(item())
    world.replica.poison = lambda write: ChangeError("refused")
    sent = records(world)
    assert await apply(world, sent) is None

    (letter,) = world.control.of("source--replica").letters.values()
    assert json.loads(letter.record) == sent[0]
    assert {"eventID", "awsRegion", "eventSourceARN"} <= sent[0].keys()
