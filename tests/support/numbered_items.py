"""Items that differ by a number: what most tests of the operations write."""

from __future__ import annotations

from typing import Any


def item(number: int, value: str = "1", **more: Any) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}, "value": {"N": value}, **more}


def key(number: int) -> dict[str, Any]:
    return {"key": {"S": f"key{number}"}}
