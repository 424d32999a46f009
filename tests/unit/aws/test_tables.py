"""service.aws.tables on a scripted HTTP: what no emulator answers."""

import json

import pytest

from service.aws.tables import DynamoTable
from service.errors import ThrottledError, UnavailableError
from service.model import Delete, Image, ItemKey, KeyAttribute, Put
from tests.unit.aws.scripted import ScriptedHttp, wire_on

SCHEMA = (KeyAttribute("k", "N"),)


def table_on(http: ScriptedHttp) -> DynamoTable:
    return DynamoTable(None, wire_on(http), "orders", SCHEMA, "number", "replica")


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
    http = ScriptedHttp(b'{"Items":[{"k":{"N":"1"}}],"LastEvaluatedKey":' + stop + b"}", b'{"Items":[]}')
    table = table_on(http)

    page = await table.scan(1, 4, None, limit=10)
    last = await table.scan(1, 4, page.next_key)

    assert page.items == [(key(1), Image(b'{"k":{"N":"1"}}'))]
    assert last.next_key is None
    first, second = (json.loads(body) for body, _, _ in http.requests)
    assert first == {"TableName": "orders", "Segment": 1, "TotalSegments": 4, "ConsistentRead": True, "Limit": 10}
    assert second["ExclusiveStartKey"] == json.loads(stop)
