"""Item keys in one canonical form, so that equal keys are equal bytes whoever wrote them down.

DynamoDB promises neither the order of a key's attributes nor how a number or an escaped character is spelled: 1, 1.0
and 1E0 are one key, and so are "\\u00e9" and "é". Lanes, coalescing and comparisons all stand on this form (I1, E58).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import msgspec

from service.model import ItemKey, KeyAttribute

# A Number has up to 38 digits (Developer Guide, "Service quotas": numbers); normalize() must not round a valid one.
_EXACT = Context(prec=200)
# A Number's magnitude is between 1E-130 and 9.99E+125 (same page); beyond, plain notation has no bounded length.
_LARGEST_EXPONENT = 150


_VALUES = {kind: msgspec.defstruct(f"Value{kind}", [(kind, str)]) for kind in ("S", "N", "B")}
"""Such as `{"S": "text"}`, by the type."""


def canonical_number(text: str) -> str:
    """The one spelling of a number: plain notation without needless zeros, exact. Raises ValueError for no number."""
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    if not number:
        return "0"  # "-0" and "0E5" are 0 too
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError("beyond the range of DynamoDB's numbers")
    return format(number.normalize(_EXACT), "f")


def canonical_binary(text: str) -> str:
    """Base64 with its padding and nothing else. Raises ValueError for anything that is not Base64."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except binascii.Error as error:
        raise ValueError(f"not Base64: {error}") from None


_CANONICAL: dict[str, Callable[[str], str]] = {"N": canonical_number, "B": canonical_binary}


class KeyReader:
    """Reads the keys of one table's items. Immutable; may be shared."""

    def __init__(self, keys: Iterable[KeyAttribute]) -> None:
        self.keys = tuple(keys)
        self._decoder = _struct_decoder(self.keys)
        self._spelled = [
            (f"key{index}", key.type, _CANONICAL[key.type])
            for index, key in enumerate(self.keys)
            if key.type in _CANONICAL
        ]

    def read(self, item: bytes | msgspec.Raw) -> ItemKey:
        """The key of a DynamoDB JSON object that holds at least the key attributes: a record's `Keys`, or an item.

        Raises ValueError when a key attribute is missing, of another type, or no valid value.
        """
        if self._decoder is None:
            return self._read_odd_names(item)
        key = self._decoder.decode(item)
        for field, kind, canonical in self._spelled:
            value = getattr(key, field)
            came = getattr(value, kind)
            if (spelled := canonical(came)) is not came:
                setattr(value, kind, spelled)
        return _encode(key)

    def _read_odd_names(self, item: bytes | msgspec.Raw) -> ItemKey:
        found = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
        values: dict[str, Any] = {}
        for key in self.keys:
            if key.name not in found:
                raise ValueError(f"the key attribute {key.name!r} is missing")
            value = msgspec.json.decode(found[key.name], type=_VALUES[key.type])
            if key.type in _CANONICAL:
                setattr(value, key.type, _CANONICAL[key.type](getattr(value, key.type)))
            values[key.name] = value
        return _encode(values)


# The bytes are a key: `ItemKey()` itself would be one more call for each record.
_encode: Callable[[Any], ItemKey] = msgspec.json.Encoder().encode  # type: ignore[assignment]


def _struct_decoder(keys: tuple[KeyAttribute, ...]) -> msgspec.json.Decoder[Any] | None:
    """None when msgspec can't name a field so: quotes, backslashes and control characters."""
    names = {f"key{index}": key.name for index, key in enumerate(keys)}
    try:
        kind = msgspec.defstruct(
            "Key", [(field, _VALUES[key.type]) for field, key in zip(names, keys, strict=True)], rename=names
        )
    except ValueError:
        return None
    return msgspec.json.Decoder(kind)
