"""`dynamirror run`: one pipeline by the environment, or those that a file names; or, with --dry-run, which ones."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.configured import whole_plan
from service.cli.listing import Listing
from service.cli.tables import console
from service.configuration.fleet_file import FleetFile, load_fleet
from service.configuration.fleet_plan import FleetPlan
from service.configuration.settings import ProcessSettings, load_settings
from service.loading import loading
from service.observability.log_setup import configure_log, logger
from service.signals import Signals, StoppedError, run_until_signal

if TYPE_CHECKING:
    from service.fleet.plans import Plans


def run(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run the pipelines that this TOML file names.")
    ] = None,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Print the pipelines that would run, and end.")] = False,
    is_admin_only: Annotated[
        bool, typer.Option("--admin-only", help="Serve the admin API for a pipeline that Lambda replicates.")
    ] = False,
) -> None:
    """Replicate, and serve the admin API, until Ctrl-C or SIGTERM."""
    if config is None:
        _run_one(is_dry=is_dry, is_admin_only=is_admin_only)
    elif is_admin_only:
        raise typer.BadParameter("--admin-only is for one pipeline: leave out --config")
    else:
        _run_file(config, load_fleet(config), is_dry=is_dry)


def _run_one(*, is_dry: bool, is_admin_only: bool) -> None:
    settings = load_settings()
    configure_log(settings)
    if is_dry:
        _show(FleetPlan.of(settings))
        return
    # Here and below: the AWS SDK takes half a second to load, which --help and a bad setting need not wait for.
    with loading():
        from service.fleet.plans import EnvironmentPlan

    _serve(EnvironmentPlan(settings), settings, is_admin_only=is_admin_only)


def _run_file(path: Path, file: FleetFile, *, is_dry: bool) -> None:
    configure_log(file.process)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the pipelines run: the file was read just now
    if is_dry:
        _show(whole_plan(path, file))
        return
    with loading():
        from service.adapters import SystemClock, open_table_list
        from service.fleet.file_plans import FilePlans

    _serve(FilePlans(path, file, open_table_list, SystemClock()), file.process)


def _serve(plans: Plans, process: ProcessSettings, *, is_admin_only: bool = False) -> None:
    with loading():
        from service.app import serve

    signals = Signals(process.shutdown_timeout_seconds, code_if_cut=0)
    work = serve(
        plans,
        signals=signals,
        is_admin_only=is_admin_only,
        announce=lambda running: logger().info("admin api listens", url=running.url),
    )
    with contextlib.suppress(StoppedError):  # before it had begun
        run_until_signal(work, "before the service ran", signals)


def _show(plan: FleetPlan) -> None:
    page = console()
    if plan.entries:
        table = Listing("pipeline", "source", "replica", whole=("pipeline",))
        for name, settings in plan.entries.items():
            table.add_row(name, settings.side("source").identity, settings.side("replica").identity)
        page.print(table, "", crop=False)
    if plan.left_out:
        table = Listing("left out", "why", whole=("left out",))
        for each in plan.left_out:
            table.add_row(each.table, each.reason)
        page.print(table, "", crop=False)
    left_out = f"; left out: {len(plan.left_out)}" if plan.left_out else ""
    page.print(f"pipelines that would run: {len(plan.entries)}{left_out}", highlight=False)
