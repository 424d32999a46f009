"""service.aws.tables on a scripted HTTP: what no emulator answers."""

import json

import pytest

from service.aws.tables import DynamoTable
from service.errors import AmbiguousError, ThrottledError, UnavailableError
from service.model import Delete, Image, ItemKey, KeyAttribute, Put, Written
from tests.support.scripted_http import ScriptedHttp, wire_on

SCHEMA = (KeyAttribute("k", "N"),)
NO_ITEMS = b'{"Items":[],"Count":0}'


def table_on(http: ScriptedHttp) -> DynamoTable:
    return DynamoTable(wire_on(http), "orders", SCHEMA, "number", "replica")


def key(number: int) -> ItemKey:
    return ItemKey(b'{"k":{"N":"%d"}}' % number)


async def test_unprocessed_writes_come_back_as_their_keys():
    left = {
        "UnprocessedItems": {
            "orders": [
                {"PutRequest": {"Item": {"v": {"S": "x"}, "k": {"N": "1.0"}}}},
                {"DeleteRequest": {"Key": {"k": {"N": "2"}}}},
            ]
        }
    }
    http = ScriptedHttp(json.dumps(left).encode())
    writes = [Put(key(1), Image(b'{"k":{"N":"1"},"v":{"S":"x"}}')), Delete(key(2)), Delete(key(3))]

    assert await table_on(http).write_batch(writes) == [key(1), key(2)]

    assert json.loads(http.requests[0][0]) == {
        "RequestItems": {
            "orders": [
                {"PutRequest": {"Item": {"k": {"N": "1"}, "v": {"S": "x"}}}},
                {"DeleteRequest": {"Key": {"k": {"N": "2"}}}},
                {"DeleteRequest": {"Key": {"k": {"N": "3"}}}},
            ]
        }
    }


def batch(found: list[int], left: list[int]) -> bytes:
    return json.dumps(
        {
            "Responses": {"orders": [{"k": {"N": str(number)}} for number in found]},
            "UnprocessedKeys": {"orders": {"Keys": [{"k": {"N": str(n)}} for n in left]}} if left else {},
        }
    ).encode()


async def test_unprocessed_keys_are_asked_for_again():
    http = ScriptedHttp(batch([1], [2, 3]), batch([2], [3]), batch([], []))

    found = await table_on(http).get_many([key(1), key(2), key(3)])

    assert set(found) == {key(1), key(2)}
    asked = [json.loads(body)["RequestItems"]["orders"]["Keys"] for body, _, _ in http.requests]
    assert [len(keys) for keys in asked] == [3, 2, 1]
    assert all(json.loads(body)["RequestItems"]["orders"]["ConsistentRead"] for body, _, _ in http.requests)


async def test_reading_that_gets_nowhere_is_throttled():
    http = ScriptedHttp(batch([], [1, 2]))

    with pytest.raises(ThrottledError):
        await table_on(http).get_many([key(1), key(2)])


async def test_no_keys_need_no_request():
    assert await table_on(ScriptedHttp()).get_many([]) == {}


async def test_an_answer_without_sense_counts_as_lost():
    with pytest.raises(UnavailableError):
        await table_on(ScriptedHttp(b'{"Items":"no"}')).scan(0, 1, None)


async def test_every_read_is_consistent_and_a_scan_goes_on_where_it_stopped():
    stop = b'{"k":{"N":"7.0"}}'
    http = ScriptedHttp(b'{"Items":[{"k":{"N":"1"}}],"Count":1,"LastEvaluatedKey":' + stop + b"}", NO_ITEMS)
    table = table_on(http)

    page = await table.scan(1, 4, None, limit=10)
    last = await table.scan(1, 4, page.next_key)

    assert page.items == [(key(1), Image(b'{"k":{"N":"1"}}'))]
    assert last.next_key is None
    first, second = (json.loads(body) for body, _, _ in http.requests)
    assert first == {"TableName": "orders", "Segment": 1, "TotalSegments": 4, "ConsistentRead": True, "Limit": 10}
    assert second["ExclusiveStartKey"] == json.loads(stop)


async def test_the_read_of_one_item_is_consistent():
    http = ScriptedHttp(b'{"Item":{"k":{"N":"1"}}}')

    assert await table_on(http).get(key(1)) == b'{"k":{"N":"1"}}'
    assert json.loads(http.requests[0][0])["ConsistentRead"] is True


NO_ANSWERS = [
    b"",
    b"<html>Sign in</html>",
    b"[]",
    b'"yes"',
    b"null",
    b"{",
    b'{"a":',
    b'{"message":"Sign in"}',
    b'{"ConsumedCapacity":{"TableName":"orders"',
]
"""What comes with the status 200 and is no answer of DynamoDB's, whatever was asked."""


@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_a_write_whose_answer_is_not_dynamodbs_is_in_doubt(body):
    put, delete = Put(key(1), Image(b'{"k":{"N":"1"}}')), Delete(key(1))

    with pytest.raises(AmbiguousError):
        await table_on(ScriptedHttp(body)).put(put, None)
    with pytest.raises(AmbiguousError):
        await table_on(ScriptedHttp(body)).delete(delete, None)
    with pytest.raises(AmbiguousError):
        await table_on(ScriptedHttp(body)).write_batch([put])


@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_a_read_whose_answer_is_not_dynamodbs_finds_nothing_out(body):
    for ask in (
        lambda table: table.get(key(1)),
        lambda table: table.get_many([key(1)]),
        lambda table: table.scan(0, 1, None),
    ):
        with pytest.raises(UnavailableError):
            await ask(table_on(ScriptedHttp(body)))


async def test_a_write_is_done_when_the_answer_says_so():
    put = Put(key(1), Image(b'{"k":{"N":"1"}}'))

    for body in (b"{}", b" { } ", b'{"ConsumedCapacity":{"TableName":"orders","CapacityUnits":1.0}}'):
        assert await table_on(ScriptedHttp(body)).put(put, None) is Written.YES


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"Responses":{"orders":[]}}', b'{"UnprocessedKeys":{}}', b'{"Responses":null,"UnprocessedKeys":{}}'],
)
async def test_keys_that_an_answer_does_not_speak_of_are_not_taken_for_absent(body):
    with pytest.raises(UnavailableError):
        await table_on(ScriptedHttp(body)).get_many([key(1)])


@pytest.mark.parametrize("body", [b"{}", b'{"ItemCollectionMetrics":{}}', b'{"UnprocessedItems":null}'])
async def test_a_batch_is_written_only_if_the_answer_says_what_is_left_of_it(body):
    with pytest.raises(AmbiguousError):
        await table_on(ScriptedHttp(body)).write_batch([Delete(key(1))])


@pytest.mark.parametrize("body", [b"{}", b'{"Count":0}', b'{"Items":[]}', b'{"Items":[],"Count":3}'])
async def test_a_page_without_its_items_is_no_empty_page(body):
    with pytest.raises(UnavailableError):
        await table_on(ScriptedHttp(body)).scan(0, 1, None)


async def test_null_stands_for_what_is_left_out():
    assert await table_on(ScriptedHttp(b'{"Item":null}')).get(key(1)) is None
    last = b'{"Items":[],"Count":0,"LastEvaluatedKey":null}'
    assert (await table_on(ScriptedHttp(last)).scan(0, 1, None)).next_key is None
