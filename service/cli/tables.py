"""The admin API's documents as tables for people.

Whatever comes from the service is printed as it is, never as markup, and without control characters: a key or an error
can hold anything, a terminal's escape codes too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from service.cli.admin_client import Document
from service.cli.listing import Listing, Pairs, Sentence

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


def printable(value: object) -> str:
    """One line of text without control characters."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def text(value: object, style: str = "") -> Text:
    return Text(printable(value), style=style)


def console() -> Console:
    """Standard output, as wide as the terminal; where there is none, each row is one line."""
    found = Console()
    return found if found.is_terminal else Console(width=_PIPE_WIDTH)


_UNKNOWN = text("unknown", WORRY)


def status_tables(status: Document) -> RenderableType:
    """The status document: what matters at night first, then shards, then what a person should do."""
    parts: list[RenderableType] = [_overview(status)]
    if status.get("shards"):
        parts.append(_shards(status["shards"]))
    parts += [Sentence(text(f"gap: {each.get('reason')}", BAD)) for each in status.get("gaps", ())]
    parts += [Sentence(text(f"warning: {each}", WORRY)) for each in status.get("warnings", ())]
    return Group(*parts)


def _overview(status: Document) -> Pairs:
    table = Pairs()
    state = status.get("state")
    table.add_row("pipeline", text(status.get("pipeline")))
    table.add_row("state", text(state, STATE_STYLES.get(str(state), "")))
    if status.get("reason"):
        table.add_row("reason", text(status["reason"], BAD))
    role = f"{status.get('role')}, {status.get('active') or 'no process that is known'} replicates"
    table.add_row("role", text(role if status.get("role") == "standby" else status.get("role")))
    if status.get("paused_since"):
        by = f" by {status['paused_by']}" if status.get("paused_by") else ""
        table.add_row("paused since", text(f"{status['paused_since']}{by}", WORRY))
    for side in ("source", "replica"):
        place = status.get(side, {})
        table.add_row(side, text(" in ".join(str(place[name]) for name in ("table", "region") if place.get(name))))
    table.add_row("lag", _lag(status.get("lag", {})))
    queue = status.get("queue", {})
    table.add_row(
        "queue",
        text(
            f"{number(queue.get('records'))} of {number(queue.get('max_records'))} records, "
            f"{number(queue.get('bytes'))} of {number(queue.get('max_bytes'))} bytes"
        ),
    )
    rates = status.get("rates", {})
    read, applied = rates.get("records_read_per_second"), rates.get("records_applied_per_second")
    table.add_row("rates", text(f"{number(read)} records/s read, {number(applied)} records/s applied"))
    totals = status.get("totals", {}).items()
    table.add_row("totals", text(", ".join(f"{number(value)} {str(name).replace('_', ' ')}" for name, value in totals)))
    letters = status.get("dead_letters")
    is_known = letters is not None
    told = f"{number(letters)}: `dynamirror dead-letters` tells why" if letters else number(letters)
    table.add_row("dead letters", text(told, BAD if letters else "") if is_known else _UNKNOWN)
    found = status.get("last_verification")
    table.add_row("verified", _verification(found) if found or is_known else _UNKNOWN)
    table.add_row("version", text(f"{status.get('version')}, since {status.get('started_at')}"))
    return table


def _lag(lag: Document) -> Text:
    if lag.get("seconds") is None:
        return _UNKNOWN
    if lag.get("unapplied_records") is None:
        return text(f"{_seconds(lag['seconds'])}, as the process that replicates told it last", WORRY)
    caught_up = bool(lag.get("caught_up"))
    words = "caught up" if caught_up else f"{number(lag.get('unapplied_records'))} records unapplied"
    return text(f"{_seconds(lag['seconds'])}, {words}", GOOD if caught_up else WORRY)


def _seconds(value: float) -> str:
    """Where they are many, as a person reads them too."""
    return f"{value:.1f} s" if value < 600 else f"{value:.0f} s ({timedelta(seconds=round(value))})"


def _verification(found: Document | None) -> Text:
    if not found:
        return text("never")
    differences = sum(int(found.get(name) or 0) for name in ("missing", "extra", "different"))
    mended = int(found.get("repaired") or 0)
    return text(
        f"{number(found.get('items_compared'))} items, {number(differences)} differences, "
        + (f"{number(mended)} mended, " if mended else "")
        + f"{found.get('finished_at') or found.get('state')}",
        WORRY if differences > mended else "",
    )


def _shards(shards: Iterable[Document]) -> RenderableType:
    table = Listing("shard", "state", "lag s", "read", "applied", "checkpoint", whole=("shard", "checkpoint"))
    for shard in shards:
        state = str(shard.get("state"))
        lag = shard.get("lag_seconds")
        table.add_row(
            text(shard.get("shard_id")),
            text(state, STATE_STYLES.get(state, "")),
            text("" if lag is None else f"{lag:.1f}"),
            text(number(shard.get("records_read"))),
            text(number(shard.get("records_applied"))),
            text(shard.get("checkpoint")),
        )
    return table


def dead_letter_table(letters: Iterable[Document]) -> RenderableType:
    table = Listing("id", "failed at", "event", "keys", "error", "attempts", whole=("id",))
    for letter in letters:
        table.add_row(
            text(letter.get("id")),
            text(letter.get("failed_at")),
            text(letter.get("event_name")),
            text(json.dumps(letter.get("keys"), ensure_ascii=False)),
            text(letter.get("error")),
            text(letter.get("attempts")),
        )
    return table


def job_table(jobs: Iterable[Document]) -> RenderableType:
    table = Listing("id", "kind", "state", "by", "progress", whole=("id",))
    for job in jobs:
        state = str(job.get("state"))
        table.add_row(
            text(job.get("id")),
            text(job.get("kind")),
            text(state, STATE_STYLES.get(state, "")),
            text(job.get("started_by")),
            text(
                f"{_progress(job)}, {job['error']}" if job.get("error") else _progress(job),
                BAD if job.get("error") else "",
            ),
        )
    return table


def _progress(job: Document) -> str:
    parts = [f"{number(job[name])} {name.replace('_', ' ')}" for name in _JOB_COUNTS if job.get(name) is not None]
    if job.get("per_second") is not None:
        parts.append(f"{number(job['per_second'])}/s")
    if job.get("seconds_left") is not None:
        parts.append(f"{timedelta(seconds=round(job['seconds_left']))} left")
    if job.get("needed"):
        parts.append("can't be cancelled: the replica needs it")
    parts.append(f"started {job.get('started_at')}")
    if job.get("finished_at"):
        parts.append(f"ended {job['finished_at']}")
    return ", ".join(parts)


def redrive_tables(outcome: Document) -> RenderableType:
    """The counts, and which dead letters failed, with the reason."""
    failures = outcome.get("failures") or ()
    table = Listing("id", "error", whole=("id",))
    for each in failures:
        table.add_row(text(each.get("id")), text(each.get("error"), BAD))
    counts = pairs({name: value for name, value in outcome.items() if name != "failures"})
    return Group(counts, text("failed:"), table) if failures else counts


def pairs(document: Document) -> Pairs:
    """Any flat document: a name and a value a line; what is not there is left out."""
    table = Pairs()
    for name, value in document.items():
        if value is None or value == []:
            continue
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else number(value)
        style = WORRY if name == "state" and has_left_over(document) else STATE_STYLES.get(str(value), "")
        table.add_row(printable(name).replace("_", " "), text(shown, style))
    return table


def has_left_over(job: Document) -> bool:
    """It is done and leaves something for a person: differences, or records that could not be applied."""
    found, mended = sum(int(job.get(name) or 0) for name in ("missing", "extra", "different")), job.get("repaired") or 0
    settled = sum(int(job.get(name) or 0) for name in ("records_applied", "records_unchanged"))
    return job.get("state") == "done" and (found > mended or int(job.get("records_read") or 0) > settled)


def number(value: Any) -> str:
    """Numbers with a comma at the thousands, the rest as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def overview_tables(found: Document) -> RenderableType:
    """The status of one pipeline, or the list of several."""
    return _list(found) if "items" in found else status_tables(found)


def _list(found: Document) -> RenderableType:
    table = Listing("pipeline", "state", "lag s", "dead letters", "reason or warning", whole=("pipeline",))
    for item in sorted(found["items"], key=_urgency):
        state, letters = str(item.get("state")), item.get("dead_letters")
        is_stuck = not item.get("ready") and state != "failed"
        lag = item.get("lag_seconds")
        table.add_row(
            text(item.get("name")),
            text(f"{state}, not ready" if is_stuck else state, BAD if is_stuck else STATE_STYLES.get(state, "")),
            text("unknown" if lag is None else number(lag), "" if item.get("caught_up") else WORRY),
            text("unknown" if letters is None else number(letters), BAD if letters else ""),
            text(item.get("reason") or "; ".join(item.get("warnings") or ()) or _hint(state, letters)),
        )
    left_out = [
        Sentence(text(f"left out: {each.get('table')}: {each.get('reason')}")) for each in found.get("left_out") or ()
    ]
    none = "There is no pipeline: [discover] has found no table to replicate."
    advice = "`dynamirror status --pipeline NAME` shows one of them." if found["items"] else none
    return Group(table, *left_out, text(advice))


def _hint(state: str, letters: object) -> str:
    if state == "paused":
        return "somebody paused it; what the stream has for over 24 hours is lost"
    return "`dynamirror dead-letters` tells why" if letters else ""


def _urgency(item: Document) -> tuple[object, ...]:
    state = item.get("state")
    is_well = not item.get("warnings") and not item.get("dead_letters")
    return state != "failed", bool(item.get("ready")), state != "paused", is_well, -(item.get("lag_seconds") or 0.0)
