"""Which pipelines a command is about: the environment's one, or those of a file, as `run` would run them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from service.configuration.fleet_file import FleetFile, load_fleet
from service.configuration.fleet_plan import FleetPlan
from service.configuration.settings import Settings, load_settings
from service.errors import ConfigurationError
from service.loading import loading
from service.observability.log_setup import configure_log
from service.signals import Signals, run_until_signal

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The settings are those of this TOML file's pipelines.")
]
PipelineOfFile = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="With --config: only this one of them.")
]


def pipelines(config: Path | None, name: str | None) -> Mapping[str, Settings]:
    """By name, with the log set up. Raises ConfigurationError, BadParameter; HaltError where tables can't be listed."""
    if config is None:
        if name is not None:
            raise typer.BadParameter("--pipeline goes with --config: without it, the settings say which pipeline it is")
        settings = load_settings()
        configure_log(settings)
        return {settings.pipeline_name: settings}
    file = load_fleet(config)
    configure_log(file.process)
    found = file.pipelines
    if file.discover is not None and name not in found:
        found = whole_plan(config, file).entries
    if name is None:
        return found
    if name not in found:
        raise ConfigurationError(f"{config} has no pipeline {name!r}; there are: {', '.join(found) or 'none'}")
    return {name: found[name]}


def one_pipeline(config: Path | None, name: str | None) -> Settings:
    """Raises ConfigurationError, BadParameter, also where the file has several and none is named."""
    found = pipelines(config, name)
    if len(found) != 1:
        raise typer.BadParameter(f"name one of the file's pipelines with --pipeline: {', '.join(found) or 'none'}")
    return next(iter(found.values()))


def whole_plan(path: Path, file: FleetFile) -> FleetPlan:
    """What a run would run, with what is discovered now. Raises HaltError where tables can't be listed."""
    # Here, since it brings the AWS SDK with it, which takes half a second to load.
    with loading():
        from service.adapters import SystemClock, open_table_list
        from service.fleet.file_plans import FilePlans

    whole = FilePlans(path, file, open_table_list, SystemClock()).whole()
    return run_until_signal(whole, "nothing was changed", Signals(file.process.shutdown_timeout_seconds))
