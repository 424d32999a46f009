"""Raw item images: looked into and put together without decoding the values that nobody reads.

An image is DynamoDB JSON in bytes, as it came from the wire. These functions are pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from service.dynamodb_json.keys import canonical_binary, canonical_number
from service.model import Image, SequenceNumber

_ATTRIBUTES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()
# Names that every JSON encoder spells in one way: nothing in them is ever escaped.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:\-]*")


class _StringValue(msgspec.Struct):
    S: str | None = None


_STRING_VALUE = msgspec.json.Decoder(_StringValue)


def attributes(image: Image) -> dict[str, msgspec.Raw]:
    """The top-level attributes, their values undecoded. The values keep the whole image in memory."""
    return _ATTRIBUTES.decode(image)


def join(values: Mapping[str, msgspec.Raw | bytes]) -> Image:
    """An image of these attributes, in this order; the inverse of `attributes`."""
    return Image(
        b"{"
        + b",".join(_ENCODER.encode(name) + b":" + bytes(value) for name, value in values.items())  # spliced as it is
        + b"}"
    )


def may_have_attribute(image: bytes, name: str) -> bool:
    """False: the image surely has no top-level attribute of this name. True: it probably has one; look inside."""
    return bool(finder(name)(image))


@lru_cache(maxsize=256)
def finder(name: str, prefix: str = "") -> Callable[[bytes], object]:
    """Tells, in one pass, whether an image may have a top-level attribute of this name, or with this prefix.

    False means surely not, True: look inside. An empty name, or prefix, is none.
    """
    starts = [re.escape(f'"{name}"'.encode())] * bool(name) + [re.escape(f'"{prefix}'.encode())] * bool(prefix)
    if not all(map(_PLAIN_NAME.fullmatch, (name, prefix))):
        starts.append(rb"\\")  # the name may be spelled with escapes
    return re.compile(b"|".join(starts) or b"(?!)").search


def sequence_of(image: Image, attribute: str) -> SequenceNumber | None:
    """The sequence number that the item carries in this attribute; None if it carries none that is valid."""
    if not attribute or not may_have_attribute(image, attribute):
        return None
    value = attributes(image).get(attribute)
    if value is None:
        return None
    try:
        return SequenceNumber.parse(_STRING_VALUE.decode(value).S or "")
    except ValueError:  # msgspec's ValidationError is one: the attribute is something else, and someone else's
        return None


def same_item(one: Image, other: Image, ignoring: frozenset[str] = frozenset()) -> bool:
    """Whether both images are the same item, by type and value, whatever their spelling (I6).

    Numbers compare by value in full precision, sets without order, maps by key; lists in order. The top-level
    attributes in `ignoring` do not count.
    """
    if one == other:
        return True
    left, right = attributes(one), attributes(other)
    if left.keys() - ignoring != right.keys() - ignoring:
        return False
    # What is spelled alike is compared as bytes, by msgspec.Raw itself; the rest is decoded.
    return all(
        value == right[name] or _same_value(value, right[name]) for name, value in left.items() if name not in ignoring
    )


def check_values(item: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the attribute, unless each value is DynamoDB JSON, such as {"S": "text"}."""
    for name, value in item.items():
        try:
            _canonical(value)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:  # it may hold itself, too
            raise ValueError(f"the attribute {name!r} is not DynamoDB JSON, such as {{'S': 'text'}}") from error


def _same_value(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    """Two that are spelled differently."""
    try:
        left, right = msgspec.json.decode(one), msgspec.json.decode(other)
        return bool(left == right or _canonical(left) == _canonical(right))
    except (ValueError, TypeError, AttributeError):
        return False  # what is no value of DynamoDB's is like nothing but itself


def _canonical(value: Any) -> tuple[str, Any]:
    """An attribute value (`{"N": "1.0"}`) as a pair of type and value that `==` compares as DynamoDB would."""
    ((kind, content),) = value.items()
    match kind, content:
        case "N", _:
            return kind, canonical_number(content)
        case "B", _:
            return kind, canonical_binary(content)
        case "SS", [*texts] if all(isinstance(text, str) for text in texts):
            return kind, frozenset(texts)
        case "NS", [*numbers]:
            return kind, frozenset(map(canonical_number, numbers))
        case "BS", [*binaries]:
            return kind, frozenset(map(canonical_binary, binaries))
        case "L", [*elements]:
            return kind, [_canonical(element) for element in elements]
        case "M", _:
            return kind, {name: _canonical(element) for name, element in content.items()}
        case ("S", str()) | ("BOOL", bool()) | ("NULL", True):
            return kind, content
        case _:
            raise ValueError(f"{kind!r} is no type of DynamoDB, or has another value")
