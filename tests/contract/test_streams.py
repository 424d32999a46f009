"""What service.ports.Streams promises: on the fake, and on the real servers."""

from __future__ import annotations

import pytest

from service.errors import ShardGoneError
from service.model import Effect, Position, ShardId, StartAt, StreamStatus, ViewType
from tests.fakes.images import BINARY_KEY, COMPOSITE_KEY, NUMBER_KEY, content_of, image_of, key_of
from tests.support.stream_reading import read_until

pytestmark = pytest.mark.asyncio(loop_scope="module")
FROM_START = Position()
KEY = {"key": {"S": "key1"}}
OLD, NEW = {**KEY, "value": {"S": "old"}}, {**KEY, "value": {"S": "new"}}


async def only_shard(streams):
    (shard,) = (await streams.describe()).shards
    return shard.shard_id


async def read_all(streams, wanted, position=FROM_START, *, limit=1000):
    """The changes up to the first empty page after the wanted ones, and the iterator that it came with."""
    shard_id = await only_shard(streams)
    return await read_until(streams, shard_id, await streams.iterator(shard_id, position), wanted, limit)


def said(changes):
    """All that counts of changes: the members of an item may come in another order when they are read again."""
    return [
        (each.sequence, each.event_name, each.key, content_of(each.image), content_of(each.old_image))
        for each in changes
    ]


async def put_modify_delete(source):
    await source.put(OLD)
    await source.put(NEW)
    await source.delete(KEY)


async def test_a_new_stream_is_enabled_and_has_an_open_shard(stage):
    source = await stage.source()

    description = await source.streams.describe()

    assert description.status is StreamStatus.ENABLED
    assert description.view_type is ViewType.NEW_AND_OLD_IMAGES
    assert description.arn == (await source.table.describe()).stream_arn
    assert [shard.is_open for shard in description.shards] == [True]


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_writes_of_a_key_are_changes_in_their_order(stage, view_type):
    source = await stage.source(view_type=view_type)
    await put_modify_delete(source)

    changes, _ = await read_all(source.streams, 3)

    assert [change.event_name for change in changes] == ["INSERT", "MODIFY", "REMOVE"]
    assert [change.key for change in changes] == [key_of(KEY)] * 3
    numbers = [change.sequence for change in changes]
    assert numbers == sorted(set(numbers))
    assert {change.is_ttl_delete for change in changes} == {False}


@pytest.mark.parametrize("view_type", [ViewType.NEW_IMAGE, ViewType.NEW_AND_OLD_IMAGES])
async def test_new_images_decide_what_a_change_does(stage, view_type):
    source = await stage.source(view_type=view_type)
    await put_modify_delete(source)

    changes, _ = await read_all(source.streams, 3)

    assert [change.effect for change in changes] == [Effect.PUT, Effect.PUT, Effect.DELETE]
    expected = [content_of(image_of(item)) for item in (OLD, NEW)]
    assert [content_of(change.image) for change in changes] == [*expected, None]


@pytest.mark.parametrize("view_type", [ViewType.KEYS_ONLY, ViewType.OLD_IMAGE])
async def test_without_new_images_every_change_is_looked_up(stage, view_type):
    source = await stage.source(view_type=view_type)
    await put_modify_delete(source)

    changes, _ = await read_all(source.streams, 3)

    assert [change.effect for change in changes] == [Effect.LOOK_UP] * 3
    assert [change.image for change in changes] == [None] * 3


@pytest.mark.parametrize("view_type", list(ViewType))
async def test_old_images_come_where_the_stream_has_them(stage, view_type):
    source = await stage.source(view_type=view_type)
    await put_modify_delete(source)

    changes, _ = await read_all(source.streams, 3)

    old = [content_of(image_of(item)) for item in (OLD, NEW)]
    has_old = view_type in (ViewType.OLD_IMAGE, ViewType.NEW_AND_OLD_IMAGES)
    assert [content_of(change.old_image) for change in changes] == ([None, *old] if has_old else [None] * 3)


@pytest.mark.parametrize(
    ("keys", "item"),
    [
        (NUMBER_KEY, {"id": {"N": "-7.5"}}),
        (COMPOSITE_KEY, {"sk": {"N": "12345678901234567890123456789012345678"}, "pk": {"S": 'é"\\ \n'}}),
    ],
    ids=["number", "composite"],
)
async def test_keys_are_canonical_for_every_schema(stage, keys, item):
    source = await stage.source(keys)
    await source.put(item)

    (change,), _ = await read_all(source.streams, 1)

    assert change.key == key_of(item, keys)


@pytest.mark.needs("binary values in records")
async def test_binary_keys_are_canonical(stage):
    source = await stage.source(BINARY_KEY)
    await source.put({"digest": {"B": "AAH/"}})

    (change,), _ = await read_all(source.streams, 1)

    assert change.key == key_of({"digest": {"B": "AAH/"}}, BINARY_KEY)


@pytest.mark.needs("a write that changes nothing makes no record")
async def test_a_write_that_changes_nothing_makes_no_record(stage):
    source = await stage.source()
    for item in (OLD, OLD, NEW):
        await source.put(item)
    await source.delete({"key": {"S": "never there"}})

    changes, _ = await read_all(source.streams, 2)

    assert [change.event_name for change in changes] == ["INSERT", "MODIFY"]
    assert content_of(changes[1].image) == content_of(image_of(NEW))


async def test_a_chain_of_iterators_brings_each_change_once(stage):
    source = await stage.source()
    for number in range(10):
        await source.put({"key": {"S": f"key{number}"}})

    changes, _ = await read_all(source.streams, 10, limit=3)

    assert sorted(change.key for change in changes) == sorted(key_of({"key": {"S": f"key{n}"}}) for n in range(10))


async def test_reading_resumes_exactly_after_a_sequence_number(stage):
    source = await stage.source()
    for number in range(5):
        await source.put({**KEY, "value": {"N": str(number)}})
    changes, _ = await read_all(source.streams, 5)

    for place, change in enumerate(changes):
        rest, _ = await read_all(source.streams, 4 - place, Position(after=change.sequence))
        assert said(rest) == said(changes[place + 1 :])


async def test_the_tip_is_an_empty_page_from_which_reading_goes_on(stage):
    source = await stage.source()
    await source.put(OLD)
    _, iterator = await read_all(source.streams, 1)

    await source.put(NEW)
    changes, _ = await read_until(source.streams, await only_shard(source.streams), iterator, 1, 10)

    assert [change.event_name for change in changes] == ["MODIFY"]


async def test_an_iterator_may_be_read_twice(stage):
    source = await stage.source()
    await source.put(OLD)
    shard_id = await only_shard(source.streams)
    iterator = await source.streams.iterator(shard_id, FROM_START)

    first, _ = await read_until(source.streams, shard_id, iterator, 1, 10)
    again, _ = await read_until(source.streams, shard_id, iterator, 1, 10)

    assert said(first) == said(again) != []


async def test_latest_brings_only_what_comes_after(stage):
    source = await stage.source()
    await source.put(OLD)
    await read_all(source.streams, 1)
    shard_id = await only_shard(source.streams)

    iterator = await source.streams.iterator(shard_id, Position(start=StartAt.LATEST))
    await source.put(NEW)
    changes, _ = await read_until(source.streams, shard_id, iterator, 1, 10)

    assert [content_of(change.image) for change in changes] == [content_of(image_of(NEW))]


async def test_a_number_wins_over_a_start(stage):
    source = await stage.source()
    await put_modify_delete(source)
    changes, _ = await read_all(source.streams, 3)

    rest, _ = await read_all(source.streams, 2, Position(after=changes[0].sequence, start=StartAt.LATEST))

    assert said(rest) == said(changes[1:])


@pytest.mark.needs("shards have names")
async def test_a_shard_that_never_was_is_gone(stage):
    source = await stage.source()

    with pytest.raises(ShardGoneError):
        await source.streams.iterator(ShardId("shardId-00000001999999999999-00000000"), FROM_START)
