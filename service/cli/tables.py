"""The admin API's documents as tables for people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from service.cli.admin_client import Document
from service.cli.listing import Listing, Pairs, printable, text
from service.operations.documents.utc_time import duration_text, utc_text

_PIPE_WIDTH = 10_000
GOOD, WORRY, BAD = "green", "yellow", "bold red"
STATE_STYLES = {
    "running": GOOD,
    "reading": GOOD,
    "done": GOOD,
    "starting": WORRY,
    "snapshotting": WORRY,
    "paused": WORRY,
    "stopping": WORRY,
    "cancelled": WORRY,
    "failed": BAD,
}
_JOB_COUNTS = (
    "records_read", "records_applied", "records_unchanged", "items_scanned", "items_written", "items_compared",
    "missing", "extra", "different", "repaired", "redriven", "superseded", "failed",
)  # fmt: skip


class Output(Console):
    """Standard output. Whoever reads it may end early, as `head` does: the exit code is the command's all the same."""

    def on_broken_pipe(self) -> None:
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()  # nothing more is written anywhere


def console() -> Console:
    """As wide as the terminal; where there is none, each row is one line."""
    found = Output()
    return found if found.is_terminal else Output(width=_PIPE_WIDTH)


UNKNOWN = text("unknown", WORRY)


def state_text(state: object) -> Text:
    """In the color that tells how good it is."""
    return text(state, STATE_STYLES.get(str(state), ""))


def dead_letter_table(letters: Iterable[Document]) -> RenderableType:
    table = Listing("id", "failed at", "event", "keys", "error", "attempts", whole=("id",))
    for letter in letters:
        failed_at, keys = when(letter.get("failed_at")), json.dumps(letter.get("keys"), ensure_ascii=False)
        event_name, error, attempts = letter.get("event_name"), letter.get("error"), letter.get("attempts")
        table.add_row(letter.get("id"), failed_at, event_name, keys, error, attempts)
    return table


def job_table(jobs: Iterable[Document]) -> RenderableType:
    table = Listing("id", "kind", "state", "by", "progress", whole=("id",))
    for job in jobs:
        progress = text(f"{_progress(job)}, {job['error']}", BAD) if job.get("error") else _progress(job)
        table.add_row(
            job.get("id"), job.get("kind"), state_text(str(job.get("state"))), job.get("started_by"), progress
        )
    return table


def _progress(job: Document) -> str:
    parts = [f"{number(job[name])} {name.replace('_', ' ')}" for name in _JOB_COUNTS if job.get(name) is not None]
    if job.get("per_second") is not None:
        parts.append(f"{number(job['per_second'])}/s")
    if job.get("seconds_left") is not None:
        parts.append(f"{duration_text(job['seconds_left'])} left")
    if job.get("needed"):
        parts.append("can't be cancelled: the replica needs it")
    parts.append(f"started {when(job.get('started_at'))}")
    if job.get("finished_at"):
        parts.append(f"ended {when(job['finished_at'])}")
    return ", ".join(parts)


def redrive_tables(outcome: Document) -> RenderableType:
    """The counts, and which dead letters failed, with the reason."""
    failures = outcome.get("failures") or ()
    table = Listing("id", "error", whole=("id",))
    for each in failures:
        table.add_row(each.get("id"), text(each.get("error"), BAD))
    counts = pairs({name: value for name, value in outcome.items() if name != "failures"})
    return Group(counts, text("failed:"), table) if failures else counts


def pairs(document: Document) -> Pairs:
    """Any flat document: a name and a value a line; what is not there is left out."""
    table = Pairs()
    for name, value in document.items():
        if value is None or value == []:
            continue
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else number(value)
        if name.endswith(("_at", "_since")):
            shown = when(value)
        style = WORRY if name == "state" and has_left_over(document) else STATE_STYLES.get(str(value), "")
        table.add_row(printable(name).replace("_", " "), shown, style)
    return table


def has_left_over(job: Document) -> bool:
    """It is done and leaves something for a person: differences, or records that could not be applied."""
    found, mended = sum(int(job.get(name) or 0) for name in ("missing", "extra", "different")), job.get("repaired") or 0
    settled = sum(int(job.get(name) or 0) for name in ("records_applied", "records_unchanged"))
    return job.get("state") == "done" and (found > mended or int(job.get("records_read") or 0) > settled)


def when(value: object) -> str:
    """A moment of a document, to the second; anything else as it is."""
    try:
        return utc_text(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def number(value: Any) -> str:
    """Numbers with a comma at the thousands, the rest as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
