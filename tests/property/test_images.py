"""Images, keys and records in every spelling: what is equal compares equal, and nothing breaks a page."""

from __future__ import annotations

import base64
import json
import random
from decimal import Context, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.dynamodb_json.items import attributes, join, same_item
from service.dynamodb_json.keys import KeyReader
from service.dynamodb_json.record_text import record_of
from service.dynamodb_json.records import RecordReader
from service.model import Change, Image, KeyAttribute, ShardId

SCHEMA = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))
READER = RecordReader(SCHEMA)
SHARD = ShardId("shardId-1")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# 38 digits, and a magnitude from 1E-130 to 9.99E+125 (Developer Guide, "Service quotas": numbers)
numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, Context(prec=60)),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-60, 60),
).map(lambda number: str(number) if number else "0")
binaries = st.binary(max_size=12).map(lambda raw: base64.b64encode(raw).decode())


def a_set_of(values):
    return st.lists(values, min_size=1, max_size=4, unique=True)


scalars = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    binaries.map(lambda binary: {"B": binary}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    a_set_of(texts).map(lambda values: {"SS": values}),
    a_set_of(st.integers().map(str)).map(lambda values: {"NS": values}),
    a_set_of(binaries).map(lambda values: {"BS": values}),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"L": found}),
        st.dictionaries(texts, inner, max_size=3).map(lambda found: {"M": found}),
    ),
    max_leaves=8,
)
items = st.builds(
    lambda more, pk, sk: {**more, "pk": {"S": pk}, "sk": {"N": sk}},
    st.dictionaries(texts, values, max_size=5),
    texts,
    numbers,
)


def respelled(value: Any, chance: random.Random) -> Any:
    """The same attribute value in other words."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return {kind: respelled_number(content, chance)}
        case "NS":
            return {kind: shuffled([respelled_number(number, chance) for number in content], chance)}
        case "SS" | "BS":
            return {kind: shuffled(content, chance)}
        case "L":
            return {kind: [respelled(element, chance) for element in content]}
        case "M":
            return {kind: respelled_item(content, chance)}
        case _:
            return value


def respelled_item(item: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {name: respelled(item[name], chance) for name in shuffled(list(item), chance)}


def respelled_number(text: str, chance: random.Random) -> str:
    number = Decimal(text)
    return chance.choice(
        [text, format(number, "f"), f"{number:e}", text + "0" if "." in text and "E" not in text else text]
    )


def shuffled(found: list[Any], chance: random.Random) -> list[Any]:
    return chance.sample(found, len(found))


def spelled(item: dict[str, Any], chance: random.Random) -> Image:
    separators = chance.choice([(",", ":"), (", ", ": ")])
    return Image(json.dumps(item, ensure_ascii=chance.random() < 0.5, separators=separators).encode())


@given(items, st.randoms(use_true_random=False))
def test_an_item_in_other_words_is_the_same_item_with_the_same_key(item, chance):
    one, other = spelled(item, chance), spelled(respelled_item(item, chance), chance)

    assert same_item(one, other)
    assert KeyReader(SCHEMA).read(one) == KeyReader(SCHEMA).read(other)


@given(items, values, values, st.randoms(use_true_random=False))
def test_an_item_with_another_value_is_another_item(item, one, other, chance):
    is_same = exact(one) == exact(other)

    assert same_item(spelled(item | {"v": one}, chance), spelled(item | {"v": other}, chance)) is is_same
    assert same_item(spelled(item | {"v": one}, chance), spelled(item | {"v": other}, chance), frozenset({"v"}))


def exact(value: Any) -> Any:
    """Equality by Python's own types, written otherwise than the code under test."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "B":
            return kind, base64.b64decode(content)
        case "SS" | "BS":
            return kind, sorted(content)
        case "NS":
            return kind, sorted(map(Decimal, content))
        case "L":
            return kind, [exact(element) for element in content]
        case "M":
            return kind, {name: exact(element) for name, element in content.items()}
        case _:
            return kind, content


@given(items, items)
def test_two_keys_are_the_same_bytes_exactly_when_they_are_equal(one, other):
    def key_of(item: dict[str, Any]) -> Any:
        return item["pk"]["S"], Decimal(item["sk"]["N"])

    same_bytes = KeyReader(SCHEMA).read(Image(json.dumps(one).encode())) == KeyReader(SCHEMA).read(
        Image(json.dumps(other).encode())
    )
    assert same_bytes is (key_of(one) == key_of(other))


@given(items, st.randoms(use_true_random=False))
def test_an_image_that_is_taken_apart_and_joined_is_the_same_value_for_value(item, chance):
    image = spelled(item, chance)

    assert json.loads(join(attributes(image))) == item


FIELDS = ["eventName", "dynamodb", "Keys", "SequenceNumber", "NewImage", "pk", "sk"]
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                texts, st.sampled_from(["eventName", "dynamodb", "Keys", "SequenceNumber", "NewImage", "pk", "sk"])
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)


@given(items, st.lists(json_values, max_size=3))
def test_whatever_stands_in_a_page_each_record_is_a_change_or_unreadable(item, junk):
    good = {
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            "NewImage": item,
            "SequenceNumber": "1".zfill(21),
            "ApproximateCreationDateTime": 1_700_000_000,
        },
    }

    page = READER.page(SHARD, json.dumps({"Records": [*junk, good]}).encode())

    assert len(page.changes) + len(page.unreadable) == len(junk) + 1
    change = page.changes[-1]
    assert change.image is not None
    assert json.loads(change.image) == item
    again = READER.read(SHARD, record_of(change))
    assert isinstance(again, Change)
    # A record that names no view type is given one, so that it has the same effect wherever it is read again.
    told = {"view_type": None, "record": None, "size": 0}
    assert replace(again, **told) == replace(change, **told)
