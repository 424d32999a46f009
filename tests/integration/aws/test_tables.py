"""service.aws.tables on each of the servers."""

import json

import pytest

from service.aws.tables import DynamoTable, describe_table
from service.dynamodb_json.items import attributes, same_item
from service.errors import BatchRefusedError, ChangeError, ItemTooLargeError, RefusedError
from service.model import (
    Absent,
    AsSeen,
    Delete,
    Image,
    ItemKey,
    KeyAttribute,
    Older,
    Put,
    Seen,
    SequenceNumber,
    Written,
)
from tests.servers import REGION, create_streamed_table, create_table, environment
from tests.support.adapters_on_server import SCHEMA, SEQUENCE, aws_on

EVERY_TYPE = {
    "empty": {"S": ""},
    "text": {"S": 'é"\\/\n\u2028 😀'},
    "number": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "1E-130"},
    "binary": {"B": "AAECgP8="},
    "no binary": {"B": ""},
    "strings": {"SS": ["b", "a"]},
    "numbers": {"NS": ["2", "1.5"]},
    "binaries": {"BS": ["AQ==", "AA=="]},
    "map": {"M": {"list": {"L": [{"N": "1"}, {"NULL": True}, {"BOOL": False}, {"M": {}}]}}},
    "no list": {"L": []},
    "null": {"NULL": True},
    "bool": {"BOOL": True},
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def aws(server, dynamodb, unique_name):
    async with aws_on(server, dynamodb, unique_name) as opened:
        yield opened


def image(pk: str = "a", sk: str = "1", **more) -> Image:
    return Image(json.dumps({"pk": {"S": pk}, "sk": {"N": sk}, **more}, ensure_ascii=False).encode())


def key(pk: str = "a", sk: str = "1") -> ItemKey:
    return ItemKey(f'{{"pk":{{"S":"{pk}"}},"sk":{{"N":"{sk}"}}}}'.encode())


def numbered(number: int) -> dict[str, dict[str, str]]:
    return {SEQUENCE: {"S": f"{number:040d}"}}


async def test_a_table_describes_its_keys_in_order_and_its_stream(aws):
    described = await aws.table.describe()

    assert described.name == aws.name
    assert described.keys == SCHEMA
    assert described.region == REGION
    assert described.stream_arn is not None
    assert described.view_type is not None


async def test_a_missing_table_is_refused_with_its_name(aws):
    with pytest.raises(RefusedError, match="source table no-such-table"):
        await describe_table(aws.connections.source.wire, "no-such-table", "source")


async def test_an_item_of_every_type_comes_back_as_it_was_written(aws):
    written = image(**EVERY_TYPE)

    assert await aws.table.put(Put(key(), written), None) is Written.YES

    read = await aws.table.get(key())
    assert read is not None
    assert same_item(read, written)


async def test_a_key_without_an_item_reads_as_none(aws):
    assert await aws.table.get(key()) is None


async def test_a_batch_writes_puts_and_deletes(aws):
    await aws.table.put(Put(key("gone"), image("gone")), None)
    writes = [Delete(key("gone")), *(Put(key(f"k{n}"), image(f"k{n}")) for n in range(24))]

    assert await aws.table.write_batch(writes) == []

    found = await aws.table.get_many([key("gone"), *(key(f"k{n}") for n in range(24))])
    assert set(found) == {key(f"k{n}") for n in range(24)}


async def test_a_batch_with_a_poison_is_refused_and_nothing_of_it_is_written(aws):
    with pytest.raises(BatchRefusedError):
        await aws.table.write_batch([Put(key("good"), image("good")), Put(key(""), image(""))])

    assert await aws.table.get(key("good")) is None


async def test_an_item_over_the_limit_is_too_large(aws):
    with pytest.raises(ItemTooLargeError):
        await aws.table.put(Put(key(), image(big={"S": "x" * 410_000})), None)


async def test_an_item_that_does_not_fit_the_key_schema_is_that_changes_fault(aws):
    with pytest.raises(ChangeError):
        await aws.table.put(Put(key(), Image(b'{"pk":{"S":"a"},"sk":{"S":"not a number"}}')), None)


@pytest.mark.parametrize("write", [Put(key(), image(**numbered(5))), Delete(key())], ids=["put", "delete"])
async def test_an_older_condition_lets_only_a_newer_change_through(aws, write):
    async def attempt(condition):
        if isinstance(write, Put):
            return await aws.table.put(write, condition)
        return await aws.table.delete(write, condition)

    assert await attempt(Older(SequenceNumber(5))) == Seen(None)
    present = image(**numbered(4), v={"N": "1"})
    await aws.table.put(Put(key(), present), None)
    seen = await attempt(Older(SequenceNumber(4)))
    assert isinstance(seen, Seen)
    assert seen.item is not None
    assert same_item(seen.item, present)
    assert await attempt(Older(SequenceNumber(5))) is Written.YES


async def test_an_item_without_a_number_is_never_older(aws):
    await aws.table.put(Put(key(), image()), None)

    seen = await aws.table.put(Put(key(), image(v={"N": "2"})), Older(SequenceNumber(9)))

    assert isinstance(seen, Seen)
    assert seen.item is not None
    assert same_item(seen.item, image())


async def test_absent_holds_only_while_there_is_no_item(aws):
    assert await aws.table.put(Put(key(), image()), Absent()) is Written.YES
    assert isinstance(await aws.table.put(Put(key(), image()), Absent()), Seen)
    assert isinstance(await aws.table.delete(Delete(key()), Absent()), Seen)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="only its key"),
        pytest.param(EVERY_TYPE, id="every type"),
        pytest.param(numbered(7) | {"v": {"N": "1.50"}}, id="with its number"),
        pytest.param({f"attribute {n}": {"S": str(n)} for n in range(130)} | numbered(7), id="130 attributes"),
        pytest.param({"large": {"S": "x" * 390_000}}, id="390 KB"),
    ],
)
async def test_as_seen_holds_exactly_while_the_item_is_unchanged(aws, more):
    await aws.table.put(Put(key(), image(**more)), None)
    found = await aws.table.get(key())
    assert found is not None
    changed = image(**(more | numbered(8)))

    assert await aws.table.put(Put(key(), changed), AsSeen(found)) is Written.YES

    failed = await aws.table.delete(Delete(key()), AsSeen(found))
    assert isinstance(failed, Seen)
    assert failed.item is not None
    assert same_item(failed.item, changed)


async def test_as_seen_fails_when_the_item_is_gone(aws):
    assert await aws.table.put(Put(key(), image()), AsSeen(image())) == Seen(None)


async def test_a_scan_in_segments_and_pages_brings_every_item_once(aws):
    written = {key(f"k{n}"): image(f"k{n}", text={"S": "é"}) for n in range(40)}
    for at in range(0, 40, 20):
        await aws.table.write_batch([Put(k, i) for k, i in list(written.items())[at : at + 20]])

    found = []
    for segment in range(3):
        after = None
        while True:
            page = await aws.table.scan(segment, 3, after, limit=7)
            found += page.items
            after = page.next_key
            if after is None:
                break

    assert sorted(k for k, _ in found) == sorted(written)
    assert all(same_item(item, written[k]) for k, item in found)


async def test_many_large_items_are_read_in_one_call(aws):
    # DynamoDB answers at most 16 MB at once and leaves the rest unprocessed; here 50 times 390 KB
    keys = [key(f"k{n}") for n in range(50)]
    for n in range(50):
        await aws.table.put(Put(keys[n], image(f"k{n}", large={"S": "x" * 390_000})), None)

    found = await aws.table.get_many(keys)

    assert set(found) == set(keys)


async def test_a_key_with_every_kind_of_character_is_found_again(aws, dynamodb, unique_name):
    odd = 'é"\\/\n\t😀 \u2028</x>'
    await aws.table.put(Put(key(), image(odd)), None)
    page = await aws.table.scan(0, 1, None)
    ((found, item),) = page.items

    assert json.loads(found) == {"pk": {"S": odd}, "sk": {"N": "1"}}
    read = await aws.table.get(found)
    assert read is not None
    assert same_item(read, item)
    assert attributes(item).keys() == {"pk", "sk"}


async def test_a_key_schema_with_one_binary_key_is_described(aws, dynamodb, unique_name):
    name = unique_name("binary")
    await create_streamed_table(dynamodb, name, keys={"id": "B"}, view_type=None)

    described = await describe_table(aws.connections.source.wire, name, "source")

    assert described.keys == (KeyAttribute("id", "B"),)
    assert described.stream_arn is None
    assert described.view_type is None


async def indexed(aws):
    """A table with an index of every kind."""
    name = f"{aws.name}-indexed"
    projection = {"Projection": {"ProjectionType": "ALL"}}
    stamped = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}]
    await create_table(
        aws.sdk,
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "timestamp", "AttributeType": "N"},
            {"AttributeName": SEQUENCE, "AttributeType": "N"},
        ],
        LocalSecondaryIndexes=[{"IndexName": "local", "KeySchema": stamped, **projection}],
        GlobalSecondaryIndexes=[
            {"IndexName": "global", "KeySchema": [{"AttributeName": SEQUENCE, "KeyType": "HASH"}], **projection}
        ],
    )
    return name


async def test_a_table_describes_its_indexes(aws):
    """By these names and types the flow knows which metadata the replica would refuse."""
    described = await describe_table(aws.connections.source.wire, await indexed(aws), "replica")

    assert described.indexes == {
        "local": (KeyAttribute("pk", "S"), KeyAttribute("timestamp", "N")),
        "global": (KeyAttribute(SEQUENCE, "N"),),
    }


@pytest.mark.needs("index keys have types")
async def test_what_an_index_refuses_names_the_attribute(aws):
    source = aws.connections.source
    replica = DynamoTable(source.wire, await indexed(aws), SCHEMA, SEQUENCE, "replica")

    with pytest.raises(ChangeError, match=r"timestamp|Index Key$"):
        await replica.put(Put(key(), image(timestamp={"S": "2026"})), None)
    assert await replica.put(Put(key(), image(timestamp={"N": "1"})), None) is Written.YES
