"""What of the control table's items only the real servers show: their limits, their leftovers, what a hand does."""

import random

import pytest

from service.aws.control_store import DynamoControlStore
from service.aws.progress_item import MAX_BYTES
from service.control import Checkpoint, DeadLetter, Lease, PipelineRecord
from service.errors import HaltError, RefusedError
from service.migrations import load_migrations
from service.model import Position, SequenceNumber, ShardId
from tests.servers import scan

LEASE = Lease("me", 1)
NOISE = random.Random(7).randbytes(1_000_000)


@pytest.fixture
async def table(dynamodb, unique_name):
    name = unique_name("control")
    await dynamodb.create_table(TableName=name, **load_migrations()[0].steps[0].arguments)
    return name


@pytest.fixture
def store(dynamodb, table) -> DynamoControlStore:
    return DynamoControlStore(dynamodb, table, "pipeline")


def letter(record: bytes) -> DeadLetter:
    return DeadLetter("1", ShardId("shardId-1"), None, "INSERT", None, "no", 1, 0.5, record)


def progress_of(shards: int) -> PipelineRecord:
    names = [ShardId(f"shardId-{number:020d}-abcdef01") for number in range(shards)]
    position = Position(after=SequenceNumber("8" * 40), since=1_750_000_000.123456)
    return PipelineRecord("arn", {name: Checkpoint(name, position, parent_id=names[0]) for name in names})


async def test_progress_up_to_the_limit_is_stored_and_beyond_it_is_refused_by_name(store):
    await store.adopt_progress(LEASE)
    shards = 1
    refused = None
    while refused is None:
        shards += 700
        try:
            await store.save_progress(LEASE, progress_of(shards))
        except HaltError as error:
            refused = str(error)

    assert shards > 1500
    assert f"for {shards} shards" in refused
    assert str(MAX_BYTES) in refused
    assert len((await store.read_progress()).checkpoints) == shards - 700


async def test_parts_of_a_letter_leave_with_it(store, dynamodb, table):
    await store.put_dead_letter(letter(NOISE))
    assert len(await scan(dynamodb, table)) == 5
    await store.put_dead_letter(letter(NOISE))
    assert len(await scan(dynamodb, table)) == 5
    await store.put_dead_letter(letter(b"small"))
    assert len(await scan(dynamodb, table)) == 1
    await store.put_dead_letter(letter(NOISE))

    await store.delete_dead_letter("1")

    assert await scan(dynamodb, table) == []


async def test_a_letter_whose_writing_was_cut_off_is_not_there(store, dynamodb, table):
    await store.put_dead_letter(letter(NOISE))
    await dynamodb.delete_item(TableName=table, Key={"pipeline": {"S": "pipeline"}, "item": {"S": "dead-letter#1"}})

    assert await store.get_dead_letter("1") is None
    assert await store.count_dead_letters() == 0
    assert await store.list_dead_letters(10, None) == ([], None)


async def test_a_letter_that_lost_a_part_says_what_to_do(store, dynamodb, table):
    await store.put_dead_letter(letter(NOISE))
    part = next(item for item in await scan(dynamodb, table) if "record_part" in item)
    await dynamodb.delete_item(TableName=table, Key={"pipeline": part["pipeline"], "item": part["item"]})

    with pytest.raises(HaltError, match="dead letter 1 .* lacks a part"):
        await store.get_dead_letter("1")
    assert await store.delete_dead_letter("1")


async def test_an_enormous_error_text_is_cut(store):
    await store.put_dead_letter(DeadLetter("1", ShardId("s"), None, "INSERT", None, "x" * 1_000_000, 1, 0.5, b"{}"))

    assert (await store.get_dead_letter("1")).error == "x" * 10_000


@pytest.mark.parametrize(
    ("item", "attributes"),
    [
        ("lease", {"owner": {"S": "me"}, "generation": {"N": "1"}}),
        ("progress", {"stream_arn": {"S": "arn"}, "shards": {"M": {"a": {"M": {"checkpoint": {"S": "a word"}}}}}}),
        ("progress", {"stream_arn": {"S": "arn"}, "shards": {"M": {"a": {"M": {"start": {"S": "tomorrow"}}}}}}),
        ("dead-letter#1", {"shard_id": {"S": "a"}, "record": {"B": b"not compressed"}}),
        ("replay#1", {"document": {"S": "{"}}),
        ("job#replay", {"job_id": {"S": "1"}, "document": {"S": "{"}}),
    ],
)
async def test_an_item_that_a_hand_has_damaged_is_named(store, dynamodb, table, item, attributes):
    await dynamodb.put_item(TableName=table, Item={"pipeline": {"S": "pipeline"}, "item": {"S": item}, **attributes})
    reads = {
        "lease": store.read_lease,
        "progress": store.read_progress,
        "dead-letter#1": lambda: store.get_dead_letter("1"),
        "replay#1": lambda: store.get_job("replay", "1"),
        "job#replay": lambda: store.read_slot("replay"),
    }

    with pytest.raises(HaltError, match=f"item '{item}' of pipeline 'pipeline' can't be understood"):
        await reads[item]()


async def test_a_control_table_that_is_gone_is_refused_by_name(dynamodb, unique_name):
    store = DynamoControlStore(dynamodb, unique_name("gone"), "pipeline")

    with pytest.raises(RefusedError, match="the control table gone-"):
        await store.read_lease()
    with pytest.raises(RefusedError, match="the control table gone-"):
        await store.set_paused(True)
