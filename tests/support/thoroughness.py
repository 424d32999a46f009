"""How much of what takes long a run plays: a change's run some of it, `make chaos` all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

IS_THOROUGH = bool(os.environ.get("TEST_THOROUGHLY"))
_T = TypeVar("_T")


def played(cases: Sequence[_T], every: int) -> Sequence[_T]:
    """The cases of this run: the first one and each `every`-th after it, or all."""
    return cases if IS_THOROUGH else cases[::every]
