"""A pipeline that could not start refuses everything, and its status says so."""

from __future__ import annotations

from typing import Any

import pytest

from service.fleet.idle_console import IdleConsole
from service.operations.console import ConflictError
from service.operations.status.counters import Families, Totals
from tests.fakes.clock import FakeClock
from tests.fakes.service import settings_of


@pytest.mark.parametrize("reason", [None, "the table master-table does not exist"])
async def test_what_its_status_calls_refused_is_refused_for_that_reason(reason: str | None) -> None:
    clock = FakeClock()
    console: Any = IdleConsole(settings_of(), "0", clock, Totals(Families(), "pipeline", clock), "this-1-a")
    console.reason = reason
    assert console.status().process == "this-1-a"
    told = console.status().refused
    assert set(told) == {"pause", "resume", "replay", "snapshot", "verify", "redrive"}
    for name, why in told.items():
        assert (reason or "ask again when it runs") in why
        with pytest.raises(ConflictError) as error:
            await getattr(console, name)()
        assert str(error.value) == why
