"""A file of many pipelines, as a test gives it."""

from __future__ import annotations

from collections.abc import Callable

from service.configuration.fleet_file import FleetFile

TWO = '[pipelines.a]\nsource_table = "aaa"\nreplica_table = "aaa-copy"\n'
Load = Callable[..., FleetFile]
Problems = Callable[..., list[str]]
