"""`dynamirror check`: what a start would find, as a table for people or as JSON, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated

import typer

from service.check.findings import Findings, Outcome
from service.cli.configured import Config, PipelineOfFile, pipelines
from service.cli.listing import Listing, text
from service.cli.tables import console
from service.configuration.settings import Settings
from service.loading import loading
from service.signals import Signals, run_until_signal

_WORDS = {
    Outcome.RIGHT: ("right", "green"),
    Outcome.WARNING: ("warning", "yellow"),
    Outcome.PROBLEM: ("problem", "bold red"),
    Outcome.NOT_ASKED: ("not asked", "yellow"),
}
PROBLEMS_FOUND = 1


def check(
    config: Config = None,
    pipeline: PipelineOfFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look whether a start would succeed, and change nothing.

    Settings, rights, tables, stream, indexes and control table are looked at. Each line says what is right or what to
    do. Exit code 1 when a start would fail; 2 for bad settings.
    """
    asked = pipelines(config, pipeline)
    seconds = max((settings.shutdown_timeout_seconds for settings in asked.values()), default=0.0)
    found = run_until_signal(_checked(asked.values()), "nothing was changed", Signals(seconds))
    if as_json:
        documents = [findings.document() for findings in found]
        shown = documents[0] if config is None else {"items": documents}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        _show(found, has_names=config is not None)
    if not all(findings.is_right for findings in found):
        raise typer.Exit(PROBLEMS_FOUND)


async def _checked(asked: Iterable[Settings]) -> list[Findings]:
    # Here, since it brings the AWS SDK with it, which takes half a second to load.
    with loading():
        from service.adapters import open_inspection
        from service.check.check import check as look

    found = []
    for settings in asked:
        async with open_inspection(settings) as (inspection, clock):
            found.append(await look(settings, inspection, clock))
    return found


def _show(found: list[Findings], *, has_names: bool) -> None:
    """With names: the pipeline in front of each line."""
    page = console()
    names = ("pipeline", "topic", "name", "verdict", "text") if has_names else ("topic", "name", "verdict", "text")
    table = Listing(*names, whole=("pipeline",), has_header=False)
    for findings in found:
        for finding in findings.found:
            word, style = _WORDS[finding.outcome]
            cells = (finding.topic, finding.name, text(word, style), finding.text)
            table.add_row(*([findings.pipeline] if has_names else []), *cells)
    page.print(table, crop=False)
    for findings in found:
        of = f" of {findings.pipeline}" if has_names else ""
        if findings.first_start is not None:
            page.print("", text(f"A start{of} now {findings.first_start.text}."), sep="\n")
        problems = sum(finding.outcome is Outcome.PROBLEM for finding in findings.found)
        verdict = (
            f"{problems} problem{'' if problems == 1 else 's'}: a start would fail" if problems else "ready to start"
        )
        page.print("", text(f"{findings.pipeline}: {verdict}"), sep="\n")
