"""Where the process's plan comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from service.configuration.fleet_plan import FleetPlan
from service.configuration.settings import Settings
from service.fleet.discovery import TableList
from service.operations.console import ConflictError

OpenTables = Callable[[Settings], AbstractAsyncContextManager[TableList]]
Apply = Callable[[FleetPlan], Awaitable[object]]


class Plans(Protocol):
    is_alone: bool
    """One pipeline, which the process was started for."""

    def look_through(self, open_tables: OpenTables) -> None:
        """From now on tables are discovered over the process's own connections."""

    async def first(self) -> FleetPlan:
        """Raises ConfigurationError."""

    async def again(self) -> FleetPlan:
        """As it is now. Raises ConfigurationError that lists every problem; ConflictError where it can't change."""

    async def keep_looking(self, apply: Apply) -> None:
        """Apply what there is to discover, now and from time to time; ends where there never is anything."""


class EnvironmentPlan:
    """One pipeline, by the environment's settings. Implements Plans."""

    is_alone = True

    def __init__(self, settings: Settings) -> None:
        self._plan = FleetPlan.of(settings)

    def look_through(self, open_tables: OpenTables) -> None:
        """There is nothing to discover."""

    async def first(self) -> FleetPlan:
        return self._plan

    async def again(self) -> FleetPlan:
        raise ConflictError(
            "There is no file to read again: this process was started without --config. Restart it to change settings."
        )

    async def keep_looking(self, apply: Apply) -> None:
        return
