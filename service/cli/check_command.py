"""`dynamirror check`: what a start would find, as a table for people or as JSON, and nothing is changed."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.check.findings import Findings, Outcome
from service.cli.tables import text
from service.configuration.settings import Settings, load_settings
from service.observability.log_setup import configure_log
from service.signals import Signals, run_until_signal

_WORDS = {
    Outcome.RIGHT: ("right", "green"),
    Outcome.WARNING: ("warning", "yellow"),
    Outcome.PROBLEM: ("problem", "bold red"),
    Outcome.NOT_ASKED: ("not asked", "yellow"),
}
PROBLEMS_FOUND = 1


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(check)


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look whether a start would succeed, and change nothing.

    Settings, rights, tables, stream, indexes and control table are looked at. Each line says what is right or what to
    do. Exit code 1 when a start would fail; 2 for bad settings.
    """
    settings = load_settings()
    configure_log(settings)
    findings = run_until_signal(_checked(settings), "nothing was changed", Signals(settings.shutdown_timeout_seconds))
    print(json.dumps(findings.document(), ensure_ascii=False, indent=2)) if as_json else _show(findings)
    if not findings.is_right:
        raise typer.Exit(PROBLEMS_FOUND)


async def _checked(settings: Settings) -> Findings:
    # Here, since it brings the AWS SDK with it, which takes a second to load.
    from service.adapters import open_inspection
    from service.check.check import check as look

    async with open_inspection(settings) as (inspection, clock):
        return await look(settings, inspection, clock)


def _show(findings: Findings) -> None:
    table = Table("about", "", "", "", box=None, pad_edge=False, show_header=False)
    for finding in findings.found:
        word, style = _WORDS[finding.outcome]
        table.add_row(text(finding.topic), text(finding.name), text(word, style), text(finding.text))
    console = Console(file=sys.stdout, highlight=False, markup=False)
    console.print(table)
    if findings.first_start is not None:
        console.print(f"\nA start now {findings.first_start.text}.")
    problems = sum(finding.outcome is Outcome.PROBLEM for finding in findings.found)
    verdict = f"{problems} problem{'' if problems == 1 else 's'}: a start would fail" if problems else "ready to start"
    console.print(f"\n{findings.pipeline}: {verdict}")
