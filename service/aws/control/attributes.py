"""Attribute values of the control table's own items: Python values to DynamoDB's typed ones and back.

The source's and the replica's items never pass through here: their bytes are kept as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from service.errors import HaltError

Value = Mapping[str, Any]
Attributes = Mapping[str, Value]
"""An item as the SDK takes and gives it: `{"owner": {"S": "me"}, "generation": {"N": "7"}}`."""


def text(value: str) -> dict[str, Any]:
    return {"S": value}


def number(value: float) -> dict[str, Any]:
    """Exact: `repr` gives at most 17 digits, a Number holds 38. Raises ValueError for what is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"DynamoDB has no number {value}")
    return {"N": repr(value)}


def flag(value: bool) -> dict[str, Any]:
    return {"BOOL": value}


def document(attributes: Attributes) -> dict[str, Any]:
    return {"M": attributes}


def text_of(attributes: Attributes, name: str, default: str | None = None) -> str:
    """Raises KeyError when it is missing and has no default, or is of another type."""
    if name not in attributes and default is not None:
        return default
    return str(attributes[name]["S"])


def optional_text_of(attributes: Attributes, name: str) -> str | None:
    return str(attributes[name]["S"]) if name in attributes else None


def integer_of(attributes: Attributes, name: str, default: int | None = None) -> int:
    if name not in attributes and default is not None:
        return default
    return int(attributes[name]["N"])


def float_of(attributes: Attributes, name: str, default: float | None = None) -> float:
    if name not in attributes and default is not None:
        return default
    return float(attributes[name]["N"])


def flag_of(attributes: Attributes, name: str) -> bool:
    """Missing is false."""
    return name in attributes and attributes[name]["BOOL"] is True


def _told(error: Exception) -> str:
    """Which attribute is missing; of an attribute that can't be read not what it holds."""
    return f"{error} is missing" if isinstance(error, KeyError) else type(error).__name__


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
