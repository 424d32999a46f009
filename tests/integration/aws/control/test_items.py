"""What of the control table's items only the real servers show: their limits, their leftovers, what a hand does."""

import json
import random
import zlib
from dataclasses import replace

import pytest

from service.aws.control.dead_letters import COUNT
from service.aws.control.store import DynamoControlStore
from service.aws.http.wire import Wire
from service.errors import HaltError, RefusedError
from service.migrations import load_migrations
from service.model import Position, SequenceNumber, ShardId
from service.pipeline_state import Checkpoint, DeadLetter, Lease, PipelineRecord
from tests.servers import create_table, scan
from tests.support.wires import open_wire

LEASE = Lease("me", 1)
NOISE = random.Random(7).randbytes(1_000_000)


@pytest.fixture
async def table(dynamodb, unique_name):
    name = unique_name("control")
    await create_table(dynamodb, TableName=name, **load_migrations()[0].steps[0].arguments)
    return name


@pytest.fixture
async def wire(server):
    async with open_wire(server.endpoint_url) as wire:
        yield wire


@pytest.fixture
def store(wire, table) -> DynamoControlStore:
    return DynamoControlStore(wire, table, "pipeline")


def letter(record: bytes, version: str = "a") -> DeadLetter:
    number = SequenceNumber(7)
    return DeadLetter(
        "1", ShardId("shardId-1"), number, "INSERT", None, "no", 1, 0.5, record, identity="x", version=version
    )


async def stored(dynamodb, table) -> list[str]:
    """The items of letters, besides the one that counts them."""
    return sorted(name for item in await scan(dynamodb, table) if (name := item["item"]["S"]) != COUNT)


def progress_of(shards: int) -> PipelineRecord:
    names = [ShardId(f"shardId-{number:020d}-abcdef01") for number in range(shards)]
    position = Position(after=SequenceNumber("8" * 40), since=1_750_000_000.123456)
    return PipelineRecord("arn", {name: Checkpoint(name, position, parent_id=names[0]) for name in names})


@pytest.mark.parametrize("server", ["ministack"], indirect=True)
async def test_twenty_thousand_listed_shards_are_saved_moved_on_and_taken_over(wire, table):
    """Two thousand of them are open. An item holds some 2,500."""
    requests: list[float] = []
    store = DynamoControlStore(Billed(wire, requests), table, "pipeline")
    saved = progress_of(20_000)
    saved = replace(saved, checkpoints=saved.checkpoints | closed(saved, 18_000))
    await store.adopt_progress(LEASE)
    await store.save_progress(LEASE, saved)
    assert len(requests) > 20, "they lie in many items"
    requests.clear()
    newer = replace(saved, checkpoints=saved.checkpoints | moved(saved, 10))
    await store.save_progress(LEASE, newer)
    assert len(requests) == 1

    assert await DynamoControlStore(wire, table, "pipeline").adopt_progress(Lease("other", 2)) == newer


def closed(saved: PipelineRecord, count: int) -> dict[ShardId, Checkpoint]:
    return {shard_id: replace(found, is_closed=True) for shard_id, found in list(saved.checkpoints.items())[:count]}


async def test_a_save_of_ten_of_five_hundred_shards_is_billed_for_those(wire, table):
    """By the server's own count, where it has one."""
    billed: list[float] = []
    store = DynamoControlStore(Billed(wire, billed), table, "pipeline")
    saved = progress_of(500)
    await store.adopt_progress(LEASE)
    await store.save_progress(LEASE, saved)
    for _ in range(3):
        billed.clear()
        saved = replace(saved, checkpoints=saved.checkpoints | moved(saved, 10))
        await store.save_progress(LEASE, saved)
        assert len(billed) <= 2
        assert sum(billed) <= 25


def moved(saved: PipelineRecord, count: int) -> dict[ShardId, Checkpoint]:
    found = list(saved.checkpoints.values())[-count:]
    return {each.shard_id: replace(each, read_up_to=each.read_up_to + 1) for each in found}


class Billed(Wire):
    """A wire whose writes note what the server bills, in write units; a server that tells nothing bills 1."""

    def __init__(self, wire, billed):
        self._to_server, self._billed = wire, billed

    async def ask(self, call, body, read):
        if call.operation not in ("PutItem", "DeleteItem"):
            return await self._to_server.ask(call, body, read)

        def noted(answer):
            self._billed.append(json.loads(answer).get("ConsumedCapacity", {}).get("CapacityUnits", 1.0))
            return read(answer)

        body = json.dumps(json.loads(body) | {"ReturnConsumedCapacity": "TOTAL"}).encode()
        return await self._to_server.ask(call, body, noted)


async def test_parts_of_a_letter_leave_with_it(store, dynamodb, table):
    await store.put_dead_letters([letter(NOISE)])
    assert len(await stored(dynamodb, table)) == 6
    await store.put_dead_letters([letter(NOISE, "b")])
    assert len(await stored(dynamodb, table)) == 6
    await store.put_dead_letters([letter(b"small", "c")])
    assert await stored(dynamodb, table) == ["dead-letter#1", "dead-letter-of#x"]
    await store.put_dead_letters([letter(NOISE, "d")])

    await store.delete_dead_letter("1", 1.0)

    assert await stored(dynamodb, table) == []


async def test_a_letter_whose_writing_was_cut_off_is_not_there(store, dynamodb, table):
    await store.put_dead_letters([letter(NOISE)])
    await dynamodb.delete_item(TableName=table, Key={"pipeline": {"S": "pipeline"}, "item": {"S": "dead-letter#1"}})

    assert await store.get_dead_letter("1") is None
    assert await store.list_dead_letters(10, None) == ([], None)


async def test_a_letter_that_a_hand_deleted_is_counted_out_when_it_fails_again(store, dynamodb, table):
    await store.finish_adopting()
    await store.put_dead_letters([letter(b"{}")])
    await dynamodb.delete_item(TableName=table, Key={"pipeline": {"S": "pipeline"}, "item": {"S": "dead-letter#1"}})

    assert await store.put_dead_letters([letter(b"{}", "b")]) == ["1"]

    assert (await store.get_dead_letter("1")).version == "b"
    assert await store.count_dead_letters() == 1


async def former(dynamodb, table, letter_id: str) -> None:
    """A letter as a former version stored it."""
    attributes = {
        "pipeline": {"S": "pipeline"},
        "item": {"S": f"dead-letter#{letter_id}"},
        "shard_id": {"S": "shardId-1"},
        "sequence": {"S": "800000000003126276362"},
        "event_name": {"S": "INSERT"},
        "key": {"S": '{"key":{"S":"a"}}'},
        "error": {"S": "no"},
        "attempts": {"N": "2"},
        "failed_at": {"N": "0.5"},
        "record": {"B": zlib.compress(b"{}")},
    }
    await dynamodb.put_item(TableName=table, Item=attributes)


async def test_letters_of_a_former_version_are_counted_once_and_keep_their_ids(store, dynamodb, table):
    for letter_id in ("1", "2", "3", "4"):
        await former(dynamodb, table, letter_id)
    assert await store.delete_dead_letter("4", 1.0)
    for _ in range(2):
        await store.adopt_dead_letters({"1": "x", "2": "x", "3": "y", "4": "gone"})
    await store.finish_adopting()
    assert await store.count_dead_letters() == 3

    assert await store.put_dead_letters([letter(b"{}", "b")]) == ["1"]
    assert (await store.get_dead_letter("1")).attempts == 3
    for letter_id in ("1", "2", "3"):
        assert await store.delete_dead_letter(letter_id, 1.0)
    assert await store.count_dead_letters() == 0
    assert await stored(dynamodb, table) == []


async def test_a_letter_that_lost_a_part_says_what_to_do(store, dynamodb, table):
    await store.put_dead_letters([letter(NOISE)])
    part = next(item for item in await scan(dynamodb, table) if "record_part" in item)
    await dynamodb.delete_item(TableName=table, Key={"pipeline": part["pipeline"], "item": part["item"]})

    with pytest.raises(HaltError, match="dead letter 1 .* lacks a part"):
        await store.get_dead_letter("1")
    assert await store.delete_dead_letter("1", 1.0)


async def test_an_enormous_error_text_is_cut(store):
    await store.put_dead_letters([replace(letter(b"{}"), error="x" * 1_000_000)])

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


async def test_a_control_table_that_is_gone_is_refused_by_name(wire, unique_name):
    name = unique_name("gone")
    store = DynamoControlStore(wire, name, "pipeline")

    with pytest.raises(RefusedError, match=f"the control table {name}"):
        await store.read_lease()
    with pytest.raises(RefusedError, match=f"the control table {name}"):
        await store.set_paused(True)
