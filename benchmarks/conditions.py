"""Conditions of writes, judged as DynamoDB judges them, as far as the measured programs use them.

An attribute of an item that is absent is absent too: `#s < :s` and `#0 = :0` are false there (Developer Guide,
"Comparison operator and function reference"). tests/contract/test_benchmark_stub.py holds this to what servers do.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

_COMPARISON = re.compile(r"(#\w+) (<|=) (:\w+)")
_EXISTENCE = re.compile(r"(attribute_exists|attribute_not_exists)\((#\w+)\)")
_SETS = ("SS", "NS", "BS")

Attributes = dict[str, dict[str, Any]]


class ConditionalWrite(msgspec.Struct):
    """The members of PutItem and DeleteItem that the stub looks at (botocore, dynamodb 2012-08-10)."""

    Item: msgspec.Raw = msgspec.Raw()
    Key: msgspec.Raw = msgspec.Raw()
    ConditionExpression: str = ""
    ExpressionAttributeNames: dict[str, str] = {}
    ExpressionAttributeValues: dict[str, dict[str, Any]] = {}

    def holds(self, item: bytes | None) -> bool:
        """Whether the write may be made where the table holds this item. Raises ValueError for what is not known."""
        if not self.ConditionExpression:
            return True
        found: Attributes = msgspec.json.decode(item) if item is not None else {}
        return all(self._term(term, found) for term in self.ConditionExpression.split(" AND "))

    def _term(self, term: str, found: Attributes) -> bool:
        if (existence := _EXISTENCE.fullmatch(term)) is not None:
            is_there = self.ExpressionAttributeNames[existence[2]] in found
            return is_there == (existence[1] == "attribute_exists")
        comparison = _COMPARISON.fullmatch(term)
        if comparison is None:
            raise ValueError(f"the stub does not know the condition {term!r}")
        held = found.get(self.ExpressionAttributeNames[comparison[1]])
        value = self.ExpressionAttributeValues[comparison[3]]
        if held is None:
            return False
        if comparison[2] == "=":
            return _plain(held) == _plain(value)
        return "S" in held and "S" in value and bool(held["S"] < value["S"])


def _plain(value: dict[str, Any]) -> object:
    """In a form in which equal values are equal: numbers by their value, sets without an order."""
    kind, content = next(iter(value.items()))
    if kind == "N":
        return kind, Decimal(content)
    if kind in _SETS:
        return kind, frozenset(map(Decimal, content) if kind == "NS" else content)
    if kind == "L":
        return kind, [_plain(each) for each in content]
    if kind == "M":
        return kind, {name: _plain(each) for name, each in content.items()}
    return kind, content
