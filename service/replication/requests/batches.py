"""How much one BatchGetItem may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

Wanted = TypeVar("Wanted")

GET_AT_ONCE = 100
"""Keys in one BatchGetItem (botocore, dynamodb 2012-08-10: shape KeyList, max 100)."""


def get_batches(wanted: Sequence[Wanted]) -> Iterable[Sequence[Wanted]]:
    """In order, each as large as one request may be."""
    return (wanted[start : start + GET_AT_ONCE] for start in range(0, len(wanted), GET_AT_ONCE))
