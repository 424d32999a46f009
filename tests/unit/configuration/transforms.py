"""Transforms, and what is none, for settings that name them."""

from typing import Any

NUMBER = 1


def renamed(item: dict[str, Any]) -> dict[str, Any] | None:
    return {"b": item["a"]}
