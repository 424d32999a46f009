"""Which pipelines a process runs: those that the file names, and one for each table that was discovered and is free.

A discovered table that can't have one is left out with the reason. It never makes the plan as a whole fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self

from service.configuration.fleet_file import FleetFile
from service.configuration.settings import ProcessSettings, Settings
from service.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DiscoveredTable:
    """A table that `[discover]` asks for."""

    name: str
    has_stream: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A discovered table that has no pipeline of its own, and why."""

    table: str
    reason: str


@dataclass(frozen=True, slots=True)
class FleetPlan:
    process: ProcessSettings
    entries: Mapping[str, Settings]
    """By the pipeline's name; the process's settings are the same in all of them."""
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The plan of a process with one pipeline, which the environment names."""
        return cls(settings.process, {settings.pipeline_name: settings})


def plan(file: FleetFile, discovered: Collection[DiscoveredTable] = ()) -> FleetPlan:
    """What runs. The order of the file, then of the tables' names."""
    entries = dict(file.pipelines)
    left_out: list[LeftOut] = []
    found: dict[str, Settings] = {}
    for table in sorted(discovered, key=lambda table: table.name):
        try:
            found[table.name] = file.discovered(table.name)
        except ConfigurationError as error:
            left_out.append(LeftOut(table.name, str(error).replace("\n", "; ")))
    without_stream = {table.name for table in discovered if not table.has_stream}
    for name, settings in found.items():
        if reason := _reason(settings, file.pipelines, found):
            left_out.append(LeftOut(name, reason))
        elif name in without_stream:
            left_out.append(LeftOut(name, "it has no stream; enable one to have it replicated"))
        else:
            entries[settings.pipeline_name] = settings
    return FleetPlan(file.process, entries, tuple(sorted(left_out, key=lambda each: each.table)))


def _reason(settings: Settings, named: Mapping[str, Settings], found: Mapping[str, Settings]) -> str | None:
    """Why the discovered table has no pipeline. In doubt it has none: what is written to can't be taken back."""
    source, replica = settings.side("source").identity, settings.side("replica").identity
    for name, other in named.items():
        if source.may_be(other.side("source").identity):
            return f"the pipeline {name} replicates it"
        if source.may_be(other.side("replica").identity):
            return f"it is the replica of the pipeline {name}"
        if replica.may_be(other.side("replica").identity):
            return f"its replica would be {replica.name}, which is the one of the pipeline {name}"
        if name == settings.pipeline_name:
            return f"another pipeline is named {name}"
    for table, other in found.items():
        if source.may_be(other.side("replica").identity):
            return f"it is the replica of the table {table}"
    for other in (settings, *named.values()):
        if source.may_be(replace(other.side("replica").identity, name=other.control_table)):
            return "it is the control table"
    return None
