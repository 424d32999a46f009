"""service.aws.streams on each of the servers."""

import msgspec
import pytest

from service.aws.streams import DynamoStreams
from service.dynamodb_json.items import same_item
from service.dynamodb_json.record_text import record_of
from service.dynamodb_json.records import RecordReader
from service.errors import PositionError, ShardGoneError
from service.model import (
    Delete,
    Effect,
    Image,
    ItemKey,
    Position,
    Put,
    SequenceNumber,
    ShardId,
    StartAt,
    StreamStatus,
    ViewType,
)
from tests.servers import environment
from tests.support.adapters_on_server import SCHEMA, aws_on
from tests.support.stream_reading import read_until


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def aws(server, dynamodb, unique_name):
    async with aws_on(server, dynamodb, unique_name, has_one_shard=True) as opened:
        yield opened


KEY = ItemKey(b'{"pk":{"S":"a"},"sk":{"N":"1"}}')
FIRST = Image(b'{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"N":"1"}}')
SECOND = Image(b'{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"two"}}')


async def write_a_life(aws) -> None:
    await aws.table.put(Put(KEY, FIRST), None)
    await aws.table.put(Put(KEY, SECOND), None)
    await aws.table.delete(Delete(KEY), None)


async def read_from(aws, position: Position, wanted: int = 3):
    """The changes from there on: as many as are wanted, and all that came with them."""
    (shard,) = (await aws.streams.describe()).shards
    iterator = await aws.streams.iterator(shard.shard_id, position)
    return (await read_until(aws.streams, shard.shard_id, iterator, wanted))[0]


@pytest.mark.needs("open shards have no end")
async def test_the_stream_describes_its_open_shard(aws):
    await write_a_life(aws)

    described = await aws.streams.describe()

    assert described.status is StreamStatus.ENABLED
    assert described.view_type is ViewType.NEW_AND_OLD_IMAGES
    (shard,) = described.shards
    assert shard.is_open
    assert shard.parent_id is None


async def test_a_life_of_an_item_is_read_in_order(aws):
    await write_a_life(aws)

    changes = await read_from(aws, Position())

    assert [change.effect for change in changes] == [Effect.PUT, Effect.PUT, Effect.DELETE]
    assert [change.event_name for change in changes] == ["INSERT", "MODIFY", "REMOVE"]
    assert {change.key for change in changes} == {KEY}
    first, second, third = changes
    assert first.image is not None
    assert same_item(first.image, FIRST)
    assert second.image is not None
    assert same_item(second.image, SECOND)
    assert second.old_image is not None
    assert same_item(second.old_image, FIRST)
    assert third.image is None
    assert first.sequence < second.sequence < third.sequence
    assert first.created_at > 1_700_000_000
    assert not third.is_ttl_delete


async def test_reading_goes_on_after_a_sequence_number(aws):
    await write_a_life(aws)
    all_changes = await read_from(aws, Position())

    after = SequenceNumber.parse(str(all_changes[0].sequence))  # as a checkpoint brings it back
    rest = await read_from(aws, Position(after=after), 2)

    assert [(each.sequence, each.event_name) for each in rest] == [
        (each.sequence, each.event_name) for each in all_changes[1:]
    ]


async def test_the_latest_position_leaves_out_what_was_before(aws):
    await write_a_life(aws)
    await read_from(aws, Position())
    (shard,) = (await aws.streams.describe()).shards
    iterator = await aws.streams.iterator(shard.shard_id, Position(start=StartAt.LATEST))

    await aws.table.put(Put(KEY, FIRST), None)
    changes, _ = await read_until(aws.streams, shard.shard_id, iterator, 1)

    assert [change.event_name for change in changes] == ["INSERT"]


async def test_pages_follow_each_other_through_their_iterators(aws):
    await write_a_life(aws)
    (shard,) = (await aws.streams.describe()).shards
    iterator = await aws.streams.iterator(shard.shard_id, Position())
    names = []
    while len(names) < 3:
        page = await aws.streams.read(shard.shard_id, iterator, 1)
        assert len(page.changes) <= 1
        names += [change.event_name for change in page.changes]
        assert page.next_iterator is not None
        iterator = page.next_iterator

    assert names == ["INSERT", "MODIFY", "REMOVE"]


async def test_a_change_comes_back_from_its_record(aws):
    await write_a_life(aws)
    changes = await read_from(aws, Position())
    reader = RecordReader(SCHEMA)

    read = [reader.read(change.shard_id, record_of(change)) for change in changes]
    # a record that is read alone is kept as a whole
    assert [msgspec.structs.replace(change, record=None, size=0) for change in read] == [
        msgspec.structs.replace(change, record=None, size=0) for change in changes
    ]


@pytest.mark.parametrize("view_type", ["KEYS_ONLY", "OLD_IMAGE", "NEW_IMAGE"])
async def test_each_view_type_brings_what_it_carries(server, dynamodb, unique_name, view_type):
    async with aws_on(server, dynamodb, unique_name, view_type=view_type, has_one_shard=True) as aws:
        await write_a_life(aws)

        changes = await read_from(aws, Position())

        if view_type == "NEW_IMAGE":
            assert [change.effect for change in changes] == [Effect.PUT, Effect.PUT, Effect.DELETE]
        else:
            assert [change.effect for change in changes] == [Effect.LOOK_UP] * 3


@pytest.mark.needs("streams have names")
async def test_a_stream_that_is_gone_is_told_from_a_failure(aws):
    arn = (await aws.streams.describe()).arn.rpartition("/")[0] + "/2001-01-01T00:00:00.000"
    connection = aws.connections.streams
    gone = DynamoStreams(connection.wire, arn, SCHEMA, ViewType.NEW_IMAGE)

    with pytest.raises(ShardGoneError, match="2001-01-01"):
        await gone.describe()
    with pytest.raises(ShardGoneError, match="2001-01-01"):
        await gone.iterator(ShardId("shardId-00000000000000000000-00000000"), Position())


@pytest.mark.needs("iterators are checked")
async def test_an_iterator_that_is_none_can_not_be_read_from(aws):
    (shard,) = (await aws.streams.describe()).shards

    with pytest.raises(PositionError):
        await aws.streams.read(shard.shard_id, "garbage", 10)
