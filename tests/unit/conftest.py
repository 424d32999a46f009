"""Unit tests run on virtual time: what sleeps takes no time, and what can never end fails at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.clock import VirtualTimeLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
    """Every asynchronous test of this folder gets a loop of its own."""
    return {"virtual": VirtualTimeLoop}
