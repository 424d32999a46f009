"""Items as the flow sees them: canonical keys, whole images, and DynamoDB's idea of their size and equality."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

import orjson

from service.model import Image, ItemKey, KeyAttribute

Item = Mapping[str, Any]
"""An item in DynamoDB JSON: `{"key": {"S": "key1"}}`."""

_EXACT = Context(prec=200)  # a Number has up to 38 digits; the default context keeps 28

STRING_KEY = (KeyAttribute("key", "S"),)
NUMBER_KEY = (KeyAttribute("id", "N"),)
BINARY_KEY = (KeyAttribute("digest", "B"),)
COMPOSITE_KEY = (KeyAttribute("pk", "S"), KeyAttribute("sk", "N"))


def canonical_number(text: str) -> str:
    """One spelling for each number: `1.0` and `1E0` are `1`."""
    number = Decimal(text)
    return format(number.normalize(_EXACT), "f") if number else "0"


def key_of(item: Item, keys: Sequence[KeyAttribute] = STRING_KEY) -> ItemKey:
    """The canonical key of an item (or of a key in any order)."""
    parts = {}
    for attribute in keys:
        value = item[attribute.name][attribute.type]
        parts[attribute.name] = {attribute.type: canonical_number(value) if attribute.type == "N" else value}
    return ItemKey(orjson.dumps(parts))


def image_of(item: Item) -> Image:
    return Image(orjson.dumps(item))


def item_of(image: bytes) -> dict[str, Any]:
    item: dict[str, Any] = orjson.loads(image)
    return item


def comparable(value: Any) -> Any:
    """An attribute value as something that is equal exactly when DynamoDB holds it equal (sets have no order)."""
    ((kind, content),) = value.items()
    if kind == "N":
        return (kind, Decimal(content))
    if kind == "NS":
        return (kind, frozenset(Decimal(number) for number in content))
    if kind in ("SS", "BS"):
        return (kind, frozenset(content))
    if kind == "L":
        return (kind, tuple(comparable(element) for element in content))
    if kind == "M":
        return (kind, frozenset((name, comparable(element)) for name, element in content.items()))
    return (kind, content)


Content = frozenset[tuple[str, Any]]


def content_of(image: bytes | None, without: Iterable[str] = ()) -> Content | None:
    """What an item holds, for comparing; None for no item."""
    if image is None:
        return None
    left_out = frozenset(without)
    return frozenset((name, comparable(value)) for name, value in item_of(image).items() if name not in left_out)


def item_size(item: Item) -> int:
    """Bytes that count against the limit of 400 KB (Developer Guide, "DynamoDB item sizes and formats")."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":  # about a byte for two digits, and one more
        return (len(Decimal(content).as_tuple().digits) + 1) // 2 + 1
    if kind == "B":
        return len(base64.b64decode(content))
    if kind in ("SS", "NS", "BS"):
        return sum(_value_size({kind[0]: element}) for element in content)
    if kind == "L":  # 3 bytes for a list or a map, and one for each element
        return 3 + sum(1 + _value_size(element) for element in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(element) for name, element in content.items())
    return 1  # BOOL, NULL
