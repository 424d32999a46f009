"""service.dynamodb_json.keys: equal keys are equal bytes, different keys are not (E58)."""

import pytest

from service.dynamodb_json.keys import KeyReader, canonical_binary, canonical_number
from service.model import KeyAttribute


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1E0", "1"),
        ("+1", "1"),
        ("01", "1"),
        ("100", "100"),
        ("1E2", "100"),
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("0E50", "0"),
        ("-1.50", "-1.5"),
        ("1E-3", "0.001"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("1234567890123456789012345678901234567.80", "1234567890123456789012345678901234567.8"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_has_one_spelling(spelled, expected):
    assert canonical_number(spelled) == expected


@pytest.mark.parametrize("spelled", ["", "x", "NaN", "Infinity", "1E999", "1,5", "²", "1 2"])
def test_what_is_no_number_of_dynamodb_has_none(spelled):
    with pytest.raises(ValueError, match="number"):
        canonical_number(spelled)


def test_binary_is_base64_and_nothing_else():
    assert canonical_binary("AAE=") == "AAE="
    assert canonical_binary("") == ""
    assert canonical_binary("AAF=") == "AAE="  # the last bits do not count
    with pytest.raises(ValueError, match="Base64"):
        canonical_binary("A?==")


COMPOSITE = KeyReader([KeyAttribute("pk", "S"), KeyAttribute("sk", "N")])


@pytest.mark.parametrize(
    "spelled",
    [
        b'{"pk":{"S":"\xc3\xa9"},"sk":{"N":"1"}}',
        b'{"sk": {"N": "1.0"}, "pk": {"S": "\\u00e9"}}',
        b'{"more":{"M":{"pk":{"S":"x"}}},"sk":{"N":"1E0"},"pk":{"S":"\\u00E9"}}',
    ],
)
def test_the_spelling_and_the_order_of_a_key_do_not_matter(spelled):
    assert COMPOSITE.read(spelled) == b'{"pk":{"S":"\xc3\xa9"},"sk":{"N":"1"}}'


def test_keys_of_different_types_differ():
    number = KeyReader([KeyAttribute("k", "N")]).read(b'{"k":{"N":"1"}}')
    string = KeyReader([KeyAttribute("k", "S")]).read(b'{"k":{"S":"1"}}')
    binary = KeyReader([KeyAttribute("k", "B")]).read(b'{"k":{"B":"AQ=="}}')

    assert len({number, string, binary}) == 3


@pytest.mark.parametrize(
    "item", [b"{}", b'{"pk":{"S":"a"}}', b'{"pk":{"N":"1"},"sk":{"N":"1"}}', b'{"pk":{"S":"a"},"sk":{"N":"x"}}', b"["]
)
def test_an_item_without_a_valid_key_is_refused(item):
    with pytest.raises(ValueError, match=r".+"):
        COMPOSITE.read(item)


def test_attribute_names_may_hold_quotes():
    reader = KeyReader([KeyAttribute('a "name"\\', "N"), KeyAttribute("sk", "S")])

    assert reader.read(b'{"sk":{"S":"x"},"a \\"name\\"\\\\":{"N":"1.0"}}') == (
        b'{"a \\"name\\"\\\\":{"N":"1"},"sk":{"S":"x"}}'
    )
    with pytest.raises(ValueError, match="missing"):
        reader.read(b'{"sk":{"S":"x"}}')
