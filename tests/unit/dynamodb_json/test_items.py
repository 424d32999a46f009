"""service.dynamodb_json.items: looking into images and comparing them."""

import json

import msgspec
import pytest

from service.dynamodb_json.items import (
    attributes,
    check_values,
    join,
    may_have_attribute,
    same_item,
    sequence_of,
)
from service.dynamodb_json.keys import KeyReader
from service.model import Image, KeyAttribute, SequenceNumber


def image(**values) -> Image:
    return Image(json.dumps(values).encode())


def test_attributes_join_to_the_same_image():
    original = Image(b'{"a":{"N":"1.50"},"\\u00e9 \\"x\\"":{"M":{"b":{"L":[]}}}}')

    joined = join(attributes(original))

    assert joined == '{"a":{"N":"1.50"},"é \\"x\\"":{"M":{"b":{"L":[]}}}}'.encode()
    assert join({}) == b"{}"


@pytest.mark.parametrize(
    ("spelled", "name", "expected"),
    [
        (b'{"timestamp":{"S":"x"}}', "timestamp", True),
        (b'{"timestamps":{"S":"x"}}', "timestamp", False),
        (b'{"a":{"M":{"timestamp":{"S":"x"}}}}', "timestamp", True),  # one must look inside
        (b'{"\\u00e9":{"S":"x"}}', "é", True),
        ('{"é":{"S":"x"}}'.encode(), "é", True),
        (b'{"e":{"S":"x"}}', "é", False),
        (b'{"a\\/b":{"S":"x"}}', "a/b", True),
        (b'{"a\\"b":{"S":"x"}}', 'a"b', True),
    ],
)
def test_an_attribute_that_is_there_is_never_missed(spelled, name, expected):
    assert may_have_attribute(spelled, name) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "5".zfill(40)}, 5),
        ({"S": "not a number"}, None),
        ({"S": ""}, None),
        ({"N": "5"}, None),
        ({"M": {}}, None),
    ],
)
def test_an_item_carries_its_number_or_none(value, expected):
    found = sequence_of(image(k={"S": "a"}, seq=value), "seq")

    assert found == (None if expected is None else SequenceNumber(expected))


def test_an_item_without_the_attribute_carries_none():
    assert sequence_of(image(k={"S": "a"}), "seq") is None
    assert sequence_of(image(m={"M": {"seq": {"S": "5"}}}), "seq") is None
    assert sequence_of(image(k={"S": "a"}), "") is None


def test_the_key_of_an_item_is_canonical():
    schema = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))

    assert (
        KeyReader(schema).read(image(v={"S": "x"}, sk={"N": "1.0"}, pk={"S": "a"}))
        == b'{"pk":{"S":"a"},"sk":{"N":"1"}}'
    )


SAME = [
    ({"N": "1.0"}, {"N": "1"}),
    ({"N": "1E2"}, {"N": "100"}),
    ({"N": "-0"}, {"N": "0"}),
    ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
    ({"NS": ["1", "2.50"]}, {"NS": ["2.5", "1.0"]}),
    ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AA=="]}),
    ({"M": {"a": {"N": "1"}, "b": {"S": ""}}}, {"M": {"b": {"S": ""}, "a": {"N": "1.0"}}}),
    ({"L": [{"SS": ["a", "b"]}]}, {"L": [{"SS": ["b", "a"]}]}),
    ({"NULL": True}, {"NULL": True}),
]
DIFFERENT = [
    ({"N": "1"}, {"S": "1"}),
    ({"S": "1.0"}, {"S": "1"}),
    ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
    ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}),
    ({"SS": ["a"]}, {"L": [{"S": "a"}]}),
    ({"SS": ["1"]}, {"NS": ["1"]}),
    ({"B": "AA=="}, {"S": "AA=="}),
    ({"B": "AA=="}, {"B": "AAA="}),
    ({"BOOL": True}, {"NULL": True}),
    ({"BOOL": True}, {"BOOL": False}),
    ({"M": {}}, {"L": []}),
    ({"M": {"a": {"S": ""}}}, {"M": {}}),
    ({"S": ""}, {"B": ""}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_spelling_of_a_value_does_not_matter(one, other):
    assert same_item(image(k={"S": "a"}, v=one), image(v=other, k={"S": "a"}))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_differ_by_type_and_by_value(one, other):
    assert not same_item(image(v=one), image(v=other))
    assert not same_item(image(v=other), image(v=one))


def test_an_attribute_more_is_a_difference_unless_it_is_ignored():
    plain, stamped = image(k={"S": "a"}), image(k={"S": "a"}, timestamp={"S": "2026"})

    assert not same_item(plain, stamped)
    assert not same_item(stamped, plain)
    assert same_item(plain, stamped, frozenset({"timestamp"}))
    assert same_item(stamped, plain, frozenset({"timestamp"}))


def test_an_ignored_name_counts_inside_a_document():
    one, other = image(m={"M": {"timestamp": {"S": "1"}}}), image(m={"M": {"timestamp": {"S": "2"}}})

    assert not same_item(one, other, frozenset({"timestamp"}))


def test_escapes_do_not_make_a_difference():
    assert same_item(Image(b'{"\\u00e9":{"S":"\\/"}}'), Image('{"é":{"S":"/"}}'.encode()))


def test_bytes_that_nothing_can_decode_differ_or_not_and_raise_nothing():
    one, same, other = (Image(b'{"v":{"S":"' + text + b'"}}') for text in (b"\xff", b"\xff", b"\xfe"))
    stamped = Image(b'{"timestamp":{"S":"now"},' + one[1:])

    assert same_item(one, same)
    assert same_item(one, stamped, frozenset({"timestamp"}))
    assert not same_item(one, other)


@pytest.mark.parametrize(
    "value",
    [
        *({"N": "x"}, {"X": "1"}, {"S": "a", "N": "1"}, {}, 5, {"L": [1]}, {"NS": ["1", "b"]}),
        *(
            {"S": 5},
            {"S": None},
            {"BOOL": "true"},
            {"NULL": False},
            {"L": {}},
            {"SS": "abc"},
            {"SS": [1]},
            {"NS": "12"},
        ),
    ],
)
def test_what_is_no_value_is_named_and_is_like_nothing_but_itself(value: object) -> None:
    with pytest.raises(ValueError, match="'v'"):
        check_values({"key": {"S": "a"}, "v": value})
    image = Image(msgspec.json.encode({"v": value}))
    assert same_item(image, image)
    assert not same_item(image, Image(b'{"v":{"N":"1"}}'))
