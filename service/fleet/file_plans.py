"""The plan that a file gives: read when the process starts and when it is asked to, with the tables that it discovers.

Looks at the tables never read the file again: a file that somebody is editing is not what runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from service.configuration.fleet_file import FleetFile, load_fleet
from service.configuration.fleet_plan import DiscoveredTable, FleetPlan, LeftOut, plan
from service.configuration.settings import ProcessSettings
from service.errors import ConfigurationError, HaltError
from service.fleet.discovery import discover
from service.fleet.plans import Apply, OpenTables
from service.observability.log_setup import logger
from service.ports import Clock

LOOK_AGAIN_SECONDS = 300.0


class FilePlans:
    """Implements Plans."""

    is_alone = False

    def __init__(
        self,
        path: Path,
        file: FleetFile,
        open_tables: OpenTables,
        clock: Clock,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`file` is what was read at `path`; no table is asked for yet. `environment`: as `load_fleet` takes it."""
        self._path = path
        self._file = file
        self._open_tables = open_tables
        self._clock = clock
        self._environment = environment
        self._found: list[DiscoveredTable] = []
        self._has_looked = False
        self._turn = asyncio.Lock()

    def look_through(self, open_tables: OpenTables) -> None:
        self._open_tables = open_tables

    async def first(self) -> FleetPlan:
        """The pipelines that the file names: they need not wait for the first look."""
        unknown = None if self._file.discover is None else "the tables to discover were not looked at yet"
        return replace(plan(self._file), unknown=unknown)

    async def whole(self) -> FleetPlan:
        """With the tables that there are. Raises HaltError where they can't be listed."""
        self._found = await self._tables_of(self._file)
        return plan(self._file, self._found)

    async def look(self) -> FleetPlan:
        """The same file with the tables that there are now; with those that were known where they can't be listed."""
        async with self._turn:
            return await self._again(self._file)

    async def keep_looking(self, apply: Apply) -> None:
        while True:
            if self._file.discover is not None:
                await apply(await self.look())
            await self._clock.sleep(LOOK_AGAIN_SECONDS)

    async def again(self) -> FleetPlan:
        """The file as it is now. Raises ConfigurationError that lists every problem; then nothing has changed."""
        async with self._turn:
            file = load_fleet(self._path, self._environment)
            if changed := _changed(self._file.process, file.process):
                raise ConfigurationError("\n".join(f"{name}: restart the process to change it" for name in changed))
            return await self._again(file)

    async def _again(self, file: FleetFile) -> FleetPlan:
        why: list[LeftOut] = []
        unknown: str | None = None
        try:
            self._found = await self._tables_of(file)
            self._has_looked = True
        except HaltError as error:
            if _asked(file) != _asked(self._file):  # what is known is about other tables
                raise ConfigurationError(f"[discover]: {error}") from error
            logger().warning("the tables to discover can't be listed: those that are known stay", reason=str(error))
            why.append(LeftOut("[discover]", f"the tables can't be listed: {error}"))
            unknown = None if self._has_looked else why[0].reason
        self._file = file
        found = plan(file, self._found)
        return replace(found, left_out=(*why, *found.left_out), unknown=unknown)

    async def _tables_of(self, file: FleetFile) -> list[DiscoveredTable]:
        if file.discover is None:
            return []
        async with self._open_tables(file.any_discovered) as tables:
            return await discover(tables, file.discover, self._clock)


def _changed(before: ProcessSettings, now: ProcessSettings) -> list[str]:
    return [name for name in ProcessSettings.model_fields if getattr(before, name) != getattr(now, name)]


def _asked(file: FleetFile) -> object:
    """Which tables, and where they are looked for."""
    return file.discover and (file.discover, file.any_discovered.side("source"))
