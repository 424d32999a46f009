"""All pipelines of a service as a table for people, the one that needs somebody most on top."""

from __future__ import annotations

from rich.console import Group, RenderableType

from service.cli.admin_client import Document
from service.cli.listing import Listing
from service.cli.tables import BAD, STATE_STYLES, WORRY, number, status_tables, text


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
    left_out = [text(f"left out: {each.get('table')}: {each.get('reason')}") for each in found.get("left_out") or ()]
    return Group(table, *left_out, text("`dynamirror status --pipeline NAME` shows one of them."))


def _hint(state: str, letters: object) -> str:
    if state == "paused":
        return "somebody paused it; what the stream has for over 24 hours is lost"
    return "`dynamirror dead-letters` tells why" if letters else ""


def _urgency(item: Document) -> tuple[object, ...]:
    state = item.get("state")
    is_well = not item.get("warnings") and not item.get("dead_letters")
    return state != "failed", bool(item.get("ready")), state != "paused", is_well, -(item.get("lag_seconds") or 0.0)
