"""Which pipelines a process runs: those that the file names, and one for each table that was discovered and is free.

A discovered table that can't have one is left out with the reason. It never makes the plan as a whole fail.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from service.configuration.fleet_file import FleetFile
from service.configuration.settings import ProcessSettings, Settings
from service.configuration.sides import TableIdentity
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
    unknown: str | None = None
    """Why it is not known yet which tables there are to discover; None when it is, or there are none."""

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
    taken = _Taken(file.pipelines, found)
    for name, settings in found.items():
        if reason := taken.reason(settings) or _why_a_copy(file, settings):
            left_out.append(LeftOut(name, reason))
        elif name in without_stream:
            left_out.append(LeftOut(name, "it has no stream; enable one to have it replicated"))
        else:
            entries[settings.pipeline_name] = settings
    return FleetPlan(file.process, entries, tuple(sorted(left_out, key=lambda each: each.table)))


def _why_a_copy(file: FleetFile, settings: Settings) -> str | None:
    """Its source may be gone, or may have lost its stream: it is no source for that."""
    table = settings.side("source").identity
    former = file.discover.source_of(table.name) if file.discover else None
    with contextlib.suppress(ConfigurationError):
        if former and file.discovered(former).side("replica").identity.may_be(table):
            return f"it is named as the replica of a table {former}; if it is none, name it in [pipelines.NAME]"
    return None


class _Tables:
    """Tables, each with what is told of it."""

    def __init__(self, tables: Iterable[tuple[TableIdentity, str]]) -> None:
        self._by_name: dict[str, list[tuple[TableIdentity, str]]] = defaultdict(list)
        for identity, told in tables:
            self._by_name[identity.name].append((identity, told))

    def like(self, table: TableIdentity) -> str | None:
        """What is told of one that may be this one."""
        return next((told for each, told in self._by_name.get(table.name, ()) if table.may_be(each)), None)


class _Taken:
    """Why a discovered table has no pipeline. In doubt it has none: what is written to can't be taken back."""

    def __init__(self, named: Mapping[str, Settings], found: Mapping[str, Settings]) -> None:
        self._names = named.keys()
        self._sources = _Tables((each.side("source").identity, name) for name, each in named.items())
        self._replicas = _Tables((each.side("replica").identity, name) for name, each in named.items())
        self._copies = _Tables((each.side("replica").identity, name) for name, each in found.items())
        self._controls = _Tables(
            (replace(each.side("replica").identity, name=each.control_table), "")
            for each in (*named.values(), *list(found.values())[:1])
        )

    def reason(self, settings: Settings) -> str | None:
        source, replica = settings.side("source").identity, settings.side("replica").identity
        if (name := self._sources.like(source)) is not None:
            return f"the pipeline {name} replicates it"
        if (name := self._replicas.like(source)) is not None:
            return f"it is the replica of the pipeline {name}"
        if (name := self._replicas.like(replica)) is not None:
            return f"its replica would be {replica.name}, which is the one of the pipeline {name}"
        if settings.pipeline_name in self._names:
            return f"another pipeline is named {settings.pipeline_name}"
        if (name := self._copies.like(source)) is not None:
            return f"it is the replica of the table {name}"
        return "it is the control table" if self._controls.like(source) is not None else None
