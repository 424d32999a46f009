"""`dynamirror migrate`: the control table's newest schema, or what is missing to it."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.configured import Config, PipelineOfFile, pipelines
from service.configuration.settings import Settings
from service.configuration.sides import TableIdentity
from service.loading import loading
from service.signals import Signals, run_until_signal


def migrate(
    config: Config = None,
    pipeline: PipelineOfFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the steps, and change nothing.")] = False,
) -> None:
    """Bring the control table to the newest schema.

    It is created where it is missing. Of a file with many pipelines, each control table is brought there once.
    """
    tables: dict[TableIdentity, Settings] = {}
    for settings in pipelines(config, pipeline).values():
        tables.setdefault(settings.side("replica").identity_of(settings.control_table), settings)
    for table, settings in tables.items():
        if len(tables) > 1:
            print(f"{table}:")
        _migrate(settings, dry_run=dry_run)


def _migrate(settings: Settings, *, dry_run: bool) -> None:
    # Here, since it brings the AWS SDK with it, which takes half a second to load.
    with loading():
        from service.cli.standalone import pending_migrations, take_migrations

    signals = Signals(settings.shutdown_timeout_seconds)
    if not dry_run:
        done = run_until_signal(take_migrations(settings), "migrate again: steps may be repeated", signals)
        print("\n".join(f"applied {migration}" for migration in done) or "nothing to do")
        return
    for migration in (found := run_until_signal(pending_migrations(settings), "nothing was changed", signals)):
        print(migration)
        for step in migration.steps:
            print(f"  {step}")
    if not found:
        print("nothing to do")
