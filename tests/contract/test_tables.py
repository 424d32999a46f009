"""What service.ports.Table and ReplicaTable promise: on the fake, and on the real servers."""

from __future__ import annotations

import pytest

from service.errors import BatchRefusedError, ItemTooLargeError
from service.model import Absent, AsSeen, Delete, Image, Older, Put, Seen, SequenceNumber, Written
from tests.fakes.images import COMPOSITE_KEY, STRING_KEY, content_of, image_of, item_of, key_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = {"key": {"S": "key1"}}
SMALL, MIDDLE, BIG = SequenceNumber(9 * 10**20), SequenceNumber(10**21), SequenceNumber(10**39)
"""Their order as numbers is not that of their digits as text."""


def item(value="1", *, number=None, key="key1", **more):
    made = {"key": {"S": key}, "value": {"S": value}, **more}
    return made if number is None else {**made, "dynamirror_sequence": {"S": number.guard}}


def put(made, keys=STRING_KEY):
    return Put(key_of(made, keys), image_of(made))


async def held(replica, key=KEY):
    return content_of(await replica.get(key_of(key)))


def content(made):
    return content_of(image_of(made))


# --- reading


async def test_a_table_describes_itself(stage):
    source, replica = await stage.source(COMPOSITE_KEY), await stage.replica(COMPOSITE_KEY)

    streamed, plain = await source.table.describe(), await replica.describe()

    assert streamed.keys == plain.keys == COMPOSITE_KEY
    assert streamed.stream_arn is not None
    assert plain.stream_arn is None
    assert plain.view_type is None


async def test_an_item_that_is_not_there_is_none(stage):
    replica = await stage.replica()

    assert await replica.get(key_of(KEY)) is None
    assert await replica.get_many([key_of(KEY)]) == {}


async def test_every_type_of_value_comes_back_exactly(stage):
    replica = await stage.replica()
    everything = item(
        digits={"N": "12345678901234567890123456789012345678"},
        tiny={"N": "1E-130"},
        raw={"B": "AAH/"},
        empty={"S": ""},
        nothing={"B": ""},
        words={"SS": ["b", "a"]},
        numbers={"NS": ["2", "10"]},
        raws={"BS": ["AQ==", "Ag=="]},
        yes={"BOOL": True},
        null={"NULL": True},
        nested={"M": {"list": {"L": [{"N": "1"}, {"M": {}}, {"L": []}]}, 'é"\\': {"S": "ü\n"}}},
    )

    await replica.put(put(everything), None)

    assert await held(replica) == content(everything)


async def test_many_items_are_got_and_the_missing_ones_left_out(stage):
    replica = await stage.replica()
    made = [item(str(number), key=f"key{number}") for number in range(60)]
    for start in range(0, 60, 20):
        await replica.write_batch([put(each) for each in made[start : start + 20]])
    keys = [key_of({"key": {"S": f"key{number}"}}) for number in range(100)]

    found = await replica.get_many(keys)

    assert {key: content_of(image) for key, image in found.items()} == {key_of(each): content(each) for each in made}


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("limit", [None, 1, 7])
async def test_segments_of_a_scan_cover_a_table_once(stage, segments, limit):
    replica = await stage.replica(COMPOSITE_KEY)
    made = [{"pk": {"S": f"pk{number % 10}"}, "sk": {"N": str(number)}} for number in range(40)]
    for start in range(0, 40, 20):
        await replica.write_batch([put(each, COMPOSITE_KEY) for each in made[start : start + 20]])

    found = []
    for segment in range(segments):
        after = None
        while True:
            page = await replica.scan(segment, segments, after, limit)
            assert limit is None or len(page.items) <= limit
            found += page.items
            after = page.next_key
            if after is None:
                break

    assert sorted(key for key, _ in found) == sorted(key_of(each, COMPOSITE_KEY) for each in made)
    assert all(key_of(item_of(image), COMPOSITE_KEY) == key for key, image in found)


# --- writing


async def test_writes_without_a_condition_replace_and_remove(stage):
    replica = await stage.replica()

    assert await replica.put(put(item("1", extra={"S": "x"})), None) is Written.YES
    assert await replica.put(put(item("2")), None) is Written.YES
    assert await held(replica) == content(item("2"))
    assert await replica.delete(Delete(key_of(KEY)), None) is Written.YES
    assert await replica.delete(Delete(key_of(KEY)), None) is Written.YES
    assert await held(replica) is None


@pytest.mark.parametrize(
    ("found", "than", "is_older"),
    [
        (item(number=SMALL), MIDDLE, True),
        (item(number=MIDDLE), BIG, True),
        (item(number=MIDDLE), MIDDLE, False),
        (item(number=BIG), MIDDLE, False),
        (item(number=MIDDLE), SMALL, False),
        (item(), BIG, False),
        (None, BIG, False),
    ],
    ids=["shorter", "much-shorter", "same", "newer", "longer", "no-number", "no-item"],
)
@pytest.mark.parametrize("is_delete", [False, True], ids=["put", "delete"])
async def test_older_compares_the_stored_number_and_tells_what_it_met(stage, found, than, is_older, is_delete):
    replica = await stage.replica()
    if found is not None:
        await replica.put(put(found), None)
    new = item("2", number=than)

    if is_delete:
        answer = await replica.delete(Delete(key_of(KEY)), Older(than))
    else:
        answer = await replica.put(put(new), Older(than))

    if is_older:
        assert answer is Written.YES
        assert await held(replica) == (None if is_delete else content(new))
    else:
        assert isinstance(answer, Seen)
        assert content_of(answer.item) == (None if found is None else content(found))
        assert await held(replica) == (None if found is None else content(found))


@pytest.mark.needs("a number that is no text compares")
async def test_a_number_of_another_type_is_never_older(stage):
    replica = await stage.replica()
    found = item(dynamirror_sequence={"N": "1"})
    await replica.put(put(found), None)

    answer = await replica.put(put(item(number=BIG)), Older(BIG))

    assert isinstance(answer, Seen)
    assert content_of(answer.item) == content(found)


async def test_absent_holds_only_where_there_is_no_item(stage):
    replica = await stage.replica()

    assert await replica.put(put(item("1")), Absent()) is Written.YES
    answer = await replica.put(put(item("2")), Absent())

    assert isinstance(answer, Seen)
    assert content_of(answer.item) == content(item("1"))
    assert await held(replica) == content(item("1"))


WIDE = {f"attribute{number}": {"N": str(number)} for number in range(150)}


@pytest.mark.parametrize(
    "found",
    [
        item(),
        KEY,
        item(number=SMALL),
        item(document={"M": {"list": {"L": [{"N": "1"}, {"SS": ["b", "a"]}]}}}),
        {**KEY, **WIDE},
        {**KEY, **WIDE, "dynamirror_sequence": {"S": SMALL.guard}},
    ],
    ids=["plain", "key-only", "numbered", "nested", "wide", "wide-and-numbered"],
)
async def test_an_item_as_it_was_seen_may_be_replaced(stage, found):
    replica = await stage.replica()
    await replica.put(put(found), None)
    seen = await replica.get(key_of(KEY))
    assert seen is not None

    assert await replica.put(put(item("2")), AsSeen(seen)) is Written.YES
    assert await held(replica) == content(item("2"))


@pytest.mark.parametrize(
    ("found", "now"),
    [
        (item("1"), item("2")),
        (item("1"), KEY),
        (item("1"), item("1", number=SMALL)),
        (KEY, {**KEY, "dynamirror_sequence": {"S": SMALL.guard}}),
        (item("1", number=SMALL), item("1", number=MIDDLE)),
        (item("1", number=SMALL), item("1")),
        ({**KEY, **WIDE, "dynamirror_sequence": {"S": SMALL.guard}}, {**KEY, **WIDE}),
        (item("1"), None),
        (KEY, None),
    ],
    ids=["value", "lost", "first-number", "number-alone", "number", "lost-number", "wide", "gone", "key-gone"],
)
@pytest.mark.parametrize("is_delete", [False, True], ids=["put", "delete"])
async def test_an_item_that_changed_meanwhile_stays_as_it_is(stage, found, now, is_delete):
    replica = await stage.replica()
    seen = Image(image_of(found))
    if now is not None:
        await replica.put(put(now), None)

    if is_delete:
        answer = await replica.delete(Delete(key_of(KEY)), AsSeen(seen))
    else:
        answer = await replica.put(put(item("3")), AsSeen(seen))

    assert isinstance(answer, Seen)
    expected = None if now is None else content(now)
    assert content_of(answer.item) == expected
    assert await held(replica) == expected


async def test_a_batch_puts_and_deletes_and_leaves_nothing_unprocessed(stage):
    replica = await stage.replica()
    await replica.put(put(item("1", key="gone")), None)
    made = [item(str(number), key=f"key{number}") for number in range(23)]
    deletes = [Delete(key_of({"key": {"S": name}})) for name in ("gone", "never")]

    assert await replica.write_batch([*map(put, made), *deletes]) == []

    page = await replica.scan(0, 1, None)
    assert {key: content_of(image) for key, image in page.items} == {key_of(each): content(each) for each in made}


async def test_an_item_over_the_limit_is_too_large(stage):
    replica = await stage.replica()

    with pytest.raises(ItemTooLargeError):
        await replica.put(put(item("x" * (400 * 1024))), None)
    assert await held(replica) is None


@pytest.mark.needs("a refused batch writes nothing")
async def test_an_item_over_the_limit_refuses_its_batch(stage):
    replica = await stage.replica()
    too_large = item("x" * (400 * 1024))

    with pytest.raises(BatchRefusedError):
        await replica.write_batch([put(item("1", key="good")), put(too_large)])
    assert await held(replica, {"key": {"S": "good"}}) is None
