"""What the fake tables add to the contract: limits, poison, leftovers, and a memory for the judges."""

from __future__ import annotations

import asyncio

import pytest

from service.dynamodb_json.keys import KeyReader
from service.errors import BatchRefusedError, ChangeError, ItemTooLargeError, RefusedError, ThrottledError
from service.model import Delete, Put
from tests.fakes.clock import FakeClock, Jitter
from tests.fakes.images import BINARY_KEY, COMPOSITE_KEY, NUMBER_KEY, STRING_KEY, image_of, item_size, key_of
from tests.fakes.replica import FakeReplica


def put(key, value=0):
    item = {"key": {"S": key}, "value": {"N": str(value)}}
    return Put(key_of(item), image_of(item))


@pytest.mark.parametrize(
    ("keys", "item"),
    [
        (STRING_KEY, {"key": {"S": 'é"\\\n'}}),
        (NUMBER_KEY, {"id": {"N": "-01.50E3"}}),
        (NUMBER_KEY, {"id": {"N": "12345678901234567890123456789012345678"}}),
        (NUMBER_KEY, {"id": {"N": "1E-130"}}),
        (BINARY_KEY, {"digest": {"B": "AAH/"}}),
        (COMPOSITE_KEY, {"sk": {"N": "-0.0"}, "other": {"NULL": True}, "pk": {"S": ""}}),
    ],
)
def test_keys_are_the_same_bytes_as_the_services(keys, item):
    assert key_of(item, keys) == KeyReader(keys).read(image_of(item))


def test_an_items_size_is_that_of_the_documentations_rules():
    assert item_size({"pk": {"S": "ab"}}) == 4
    assert item_size({"pk": {"S": "ab"}, "n": {"N": "12345"}, "ok": {"BOOL": True}}) == 4 + 1 + 4 + 2 + 1
    assert item_size({"m": {"M": {"a": {"S": "b"}}}, "b": {"B": "AAH/"}}) == 1 + 3 + 1 + 1 + 1 + 1 + 3


async def test_a_batch_is_refused_whole_for_one_poisoned_write():
    replica = FakeReplica(FakeClock())
    replica.poison = lambda write: ChangeError("no") if write.key == put("bad").key else None

    with pytest.raises(BatchRefusedError):
        await replica.write_batch([put("good"), put("bad")])
    assert replica.items == {}
    with pytest.raises(ChangeError):
        await replica.put(put("bad"), None)


async def test_an_item_over_four_hundred_kilobytes_is_too_large():
    replica = FakeReplica(FakeClock())
    item = {"key": {"S": "a"}, "value": {"S": "x" * (400 * 1024 - 9)}}
    await replica.put(Put(key_of(item), image_of(item)), None)
    item["value"]["S"] += "x"

    with pytest.raises(ItemTooLargeError):
        await replica.put(Put(key_of(item), image_of(item)), None)


@pytest.mark.parametrize("writes", [[], [put(str(number)) for number in range(26)], [put("a"), put("a", 1)]])
async def test_a_batch_that_the_service_would_never_take_is_a_mistake_of_the_caller(writes):
    with pytest.raises(AssertionError):
        await FakeReplica(FakeClock()).write_batch(writes)


async def test_writes_are_handed_back_and_all_of_them_is_throttling():
    replica = FakeReplica(FakeClock())
    replica.leaves_unprocessed = lambda write: write.key == put("a").key

    assert await replica.write_batch([put("a"), put("b")]) == [put("a").key]
    with pytest.raises(ThrottledError):
        await replica.write_batch([put("a")])


async def test_two_writes_of_a_key_at_once_are_noticed():
    replica = FakeReplica(FakeClock(), jitter=Jitter(1))

    await replica.put(put("a"), None)
    await replica.delete(Delete(put("a").key), None)
    await asyncio.gather(replica.put(put("b"), None), replica.put(put("c"), None))
    assert not replica.overlaps

    await asyncio.gather(replica.put(put("d"), None), replica.write_batch([put("d", 1), put("e")]))
    assert replica.overlaps == {put("d").key}


async def test_every_state_that_a_reader_could_see_is_remembered():
    clock = FakeClock()
    replica = FakeReplica(clock)
    start = clock.now()
    await replica.put(put("a", 1), None)
    await clock.sleep(5)
    await replica.delete(Delete(put("a").key), None)

    states = replica.history[put("a").key]
    assert [(state.at - start, state.image) for state in states] == [(0, put("a", 1).item), (5, None)]


async def test_a_missing_table_refuses():
    replica = FakeReplica(FakeClock())
    replica.is_missing = True

    with pytest.raises(RefusedError):
        await replica.describe()
    with pytest.raises(RefusedError):
        await replica.put(put("a"), None)
