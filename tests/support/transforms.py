"""Transforms that the tests configure as `module:function`."""

from __future__ import annotations

from typing import Any


def without_drafts(item: dict[str, Any]) -> dict[str, Any] | None:
    """Leaves drafts out, and marks the others."""
    if "draft" in item:
        return None
    return {**item, "copied": {"BOOL": True}}


def choking(item: dict[str, Any]) -> dict[str, Any]:
    if "choke" in item:
        raise ValueError("choked")
    return item


def renaming(item: dict[str, Any]) -> dict[str, Any]:
    """Changes the key of some items, which is not allowed."""
    return {**item, "key": {"S": "another"}} if "rename" in item else item
