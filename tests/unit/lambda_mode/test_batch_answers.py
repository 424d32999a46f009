"""What a batch answers: what is not settled, in time, and never what is."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from api.payloads import DeadLetterDetail
from service.errors import ChangeError, HaltError, RefusedError, UnavailableError
from service.events import Warned
from service.lambda_mode.engine import SHARD
from service.model import Put
from service.operations.dead_letters.dead_letters import Letters
from tests.fakes.clock import EPOCH
from tests.fakes.event_source import engine_on
from tests.fakes.images import key_of
from tests.support.lambda_mode.batches import ARN, apply, held, item, records, settings


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


@pytest.mark.parametrize("image", ["text", 7, [], None])
@pytest.mark.parametrize("more", [{}, {"transform": "tests.support.transforms:without_drafts"}])
async def test_an_image_that_is_no_item_is_a_dead_letter_and_holds_nothing_up(world, image, more):
    world.source.put(item("key1"))
    assert await apply(world, [odd_record(NewImage=image), *records(world)], **more) is None

    assert held(world) is not None
    (letter,) = world.control.of("source--replica").letters.values()
    assert json.loads(letter.record) == odd_record(NewImage=image)
    assert "NewImage" in letter.error


async def test_a_transform_of_an_image_without_its_key_holds_nothing_up(world):
    world.source.put(item("key1"))
    transform = {"transform": "tests.support.transforms:without_drafts"}
    assert await apply(world, [odd_record(NewImage={}), *records(world)], **transform) is None
    assert held(world) is not None


async def shown_of(world, letter_id):
    outside = SimpleNamespace(adapters=world.process().adapters)
    letters = Letters(SimpleNamespace(outside=outside, on_flow_started=[], on_flow_ended=[]))
    return await letters.found(letter_id)


async def test_a_refused_record_is_kept_as_lambda_sent_it(world):
    world.source.put(item())
    world.replica.poison = lambda write: ChangeError("refused")
    sent = records(world)
    assert await apply(world, sent) is None

    (letter,) = world.control.of("source--replica").letters.values()
    assert json.loads(letter.record) == sent[0]
    assert {"eventID", "awsRegion", "eventSourceARN"} <= sent[0].keys()
