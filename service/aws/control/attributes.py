"""Attribute values of the control table's own items: Python values to DynamoDB's typed ones and back.

The source's and the replica's items never pass through here: their bytes are kept as they are.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from service.errors import HaltError
from service.model import SequenceNumber

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = TypeVar("Kind", bound="DataclassInstance")
Scalar = TypeVar("Scalar", str, int, float, bool)
_TYPES = {str: "S", int: "N", float: "N", bool: "BOOL"}
PART_BYTES = 300_000
"""Well below the 400 KB of an item (Developer Guide, "Service quotas")."""
Value = Mapping[str, Any]
Attributes = Mapping[str, Value]
"""An item as the service takes and gives it: `{"owner": {"S": "me"}, "generation": {"N": "7"}}`."""
Plain = Mapping[str, Any]
"""What `stored` takes, by its name: `{"owner": "me", "generation": 7}`."""


def stored(value: Any) -> Value:
    """As DynamoDB has it: a sequence number as text, since a Number has too few digits for it.

    What is as DynamoDB has it stays so. A number is exact: `repr` gives at most 17 digits, a Number holds 38. Raises
    ValueError for one that is not finite.
    """
    if isinstance(value, Mapping):
        return value
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str | SequenceNumber):
        return {"S": str(value)}
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"DynamoDB has no number {value}")
        return {"N": repr(value)}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"L": [stored(each) for each in value]}
    return {"M": attributes_of(value)}


def all_stored(given: Plain) -> dict[str, Value]:
    return {name: stored(value) for name, value in given.items()}


def attributes_of(value: Any, *but: str) -> dict[str, Value]:
    """A dataclass field by field, under their names; what is None is left out."""
    known = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in but}
    return all_stored({name: each for name, each in known.items() if each is not None})


def value_of(kind: type[Kind], attributes: Attributes, **known: Any) -> Kind:
    """The inverse: what is not there has its default, or is None. `known` are fields without an attribute.

    Raises ValueError.
    """
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in attributes:
            found[field.name] = _plain(attributes[field.name])
        elif field.default is MISSING and "None" in str(field.type):
            found[field.name] = None
    return msgspec.convert(found | known, kind, dec_hook=_sequence_number)


def _plain(value: Value) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if set(content) & set(".eE") else int(content)
    if kind == "B":
        return binary_of(value)
    if kind == "L":
        return [_plain(each) for each in content]
    return {name: _plain(each) for name, each in content.items()} if kind == "M" else content


def _sequence_number(kind: type, content: Any) -> SequenceNumber:
    """Of the types that msgspec does not know, the only one."""
    return SequenceNumber.parse(content)


def split(content: bytes) -> list[bytes]:
    """Into as many items as it needs."""
    return [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)]


def decompressed(content: bytes) -> bytes:
    """Raises ValueError."""
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from error


def attribute(attributes: Attributes, name: str, kind: type[Scalar], default: Scalar | None = None) -> Scalar:
    """Raises KeyError when it is missing and has no default, or is of another type."""
    if name not in attributes and default is not None:
        return default
    return kind(attributes[name][_TYPES[kind]])


def optional_text_of(attributes: Attributes, name: str) -> str | None:
    return attribute(attributes, name, str) if name in attributes else None


def _told(error: Exception) -> str:
    """Which attribute is missing; of an attribute that can't be read not what it holds."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, msgspec.ValidationError):
        what, _, where = str(error).partition(" - at ")
        return str(error) if "missing" in what else f"another value is expected at {where}"
    return type(error).__name__


def binary_of(value: Value) -> bytes:
    """Raises KeyError when it is of another type."""
    return base64.b64decode(value["B"], validate=True)


@contextmanager
def understood(pipeline: str, item: str) -> Iterator[None]:
    """Turn what decoding an item raises into a HaltError that says which item a person has to look at."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise HaltError(
            f"the control table's item {item!r} of pipeline {pipeline!r} can't be understood "
            f"({_told(error)}); schemas/README.md describes what it must hold"
        ) from error


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of a whole item for DynamoDB's limit of 400 KB, rounded up where the rules say "about".

    The Developer Guide's, "DynamoDB item sizes and formats": names and text in UTF-8; a number about a byte for two
    digits and one more; a document 3 bytes, and one for each of its elements.
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4  # it is in base64
        case "M":
            return 3 + len(content) + item_size(content)
        case "L":
            return 3 + sum(1 + _value_size(element) for element in content)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"the control table holds no {kind}")
