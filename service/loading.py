"""Loads modules without looking for garbage in between: they are there to stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Around imports. To walk all that is there again and again takes a fifth of a start; no later collection does."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
