"""Nights for the tests here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.servers import Server
from tests.servers.fixtures import *  # noqa: F403
from tests.support.chaos.night import Night


@pytest.fixture
def a_night(
    strict_server: Server, unique_name: Callable[[str], str]
) -> Callable[..., AbstractAsyncContextManager[Night]]:
    """`async with a_night(lease_seconds=2) as night`."""

    def night(**settings: object) -> Night:
        return Night(strict_server, unique_name, **settings)  # type: ignore[arg-type]  # its own keywords, then settings

    return night
