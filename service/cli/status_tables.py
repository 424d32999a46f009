"""The status for people: what matters at night first, and the next step as a command that can be typed.

Of several pipelines each in a line, the worst first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from service.cli.admin_client import Document
from service.cli.advised import PLAIN, Advised
from service.cli.listing import Listing, Pairs, Sentence, text
from service.cli.tables import BAD, GOOD, STATE_STYLES, UNKNOWN, WORRY, number, state_text, when
from service.model import RETENTION_HOURS, RETENTION_SECONDS
from service.operations.documents.utc_time import duration_text, moment, utc_text

LONG_SECONDS = 60.0
"""A lag that is no moment's."""
BEHIND_SECONDS = 10.0
"""A busy pipeline that keeps up is less behind."""
IN_TROUBLE = 1
"""The second rank."""


def overview_tables(found: Document, advised: Advised = PLAIN) -> RenderableType:
    """The status of one pipeline, or the list of several."""
    return _list(found, advised) if "items" in found else status_tables(found, advised)


def status_tables(status: Document, advised: Advised = PLAIN) -> RenderableType:
    """The status document: what matters at night first, then shards, then what a person should do."""
    parts: list[RenderableType] = [_overview(status, advised)]
    if status.get("shards"):
        parts.append(_shards(status["shards"], is_read=status.get("state") not in ("paused", "failed")))
    gaps = [each for each in status.get("gaps", ()) if each.get("reason") != status.get("reason")]  # told above
    parts += [Sentence(f"gap: {each.get('reason')}", BAD) for each in gaps]
    parts += [Sentence(f"warning: {each}", WORRY) for each in status.get("warnings", ())]
    if status.get("gaps") or status.get("warnings") or (status.get("reason") and not _is_healthy_standby(status)):
        parts.append(Sentence(f"What to do about it: {advised.page('troubleshooting')}"))
    return Group(*parts)


def _overview(status: Document, advised: Advised) -> Pairs:
    table = Pairs()
    state = status.get("state")
    table.add_row("pipeline", status.get("pipeline"))
    is_stuck = state == "running" and status.get("reason")
    table.add_row("state", f"{state}, in trouble" if is_stuck else state, STATE_STYLES.get(str(state), ""))
    if status.get("reason"):
        table.add_row("reason", status["reason"], "" if _is_healthy_standby(status) else BAD)
    table.add_row("role", _role(status))
    if status.get("process"):
        table.add_row("process", status["process"])
    if status.get("paused_since"):
        by = f" by {status['paused_by']}" if status.get("paused_by") else ""
        table.add_row("paused since", f"{when(status['paused_since'])}{by}", WORRY)
        table.add_row("next step", _resume(status.get("lag", {}).get("seconds"), _now(status), advised), WORRY)
    if status.get("gaps"):
        table.add_row("next step", _snapshot(advised), WORRY)
    for side in ("source", "replica"):
        place = status.get(side, {})
        table.add_row(side, " in ".join(str(place[name]) for name in ("table", "region") if place.get(name)))
    table.add_row("lag", _lag(status))
    queue = status.get("queue", {})
    table.add_row(
        "queue",
        f"{number(queue.get('records'))} of {number(queue.get('max_records'))} records, "
        f"{number(queue.get('bytes'))} of {number(queue.get('max_bytes'))} bytes",
    )
    rates = status.get("rates", {})
    read, applied = rates.get("records_read_per_second"), rates.get("records_applied_per_second")
    table.add_row("rates", f"{number(read)} records/s read, {number(applied)} records/s applied")
    totals = status.get("totals", {}).items()
    table.add_row("totals", ", ".join(f"{number(value)} {str(name).replace('_', ' ')}" for name, value in totals))
    letters = status.get("dead_letters")
    is_known = letters is not None
    told = f"{number(letters)}: {_why_letters(advised)}" if letters else number(letters)
    table.add_row("dead letters", text(told, BAD if letters else "") if is_known else UNKNOWN)
    found = status.get("last_verification")
    table.add_row("verified", _verification(found) if found or is_known else UNKNOWN)
    table.add_row("version", f"{status.get('version')}, since {when(status.get('started_at'))}")
    return table


def _is_healthy_standby(status: Document) -> bool:
    return status.get("state") == "standby" and bool(status.get("active"))


def _role(status: Document) -> str:
    since = f" since {when(status['active_since'])}" if status.get("active_since") else ""
    if status.get("role") != "standby":
        return f"{status.get('role')}{since}"
    return f"standby, {status.get('active') or 'no process that is known'} replicates{since}"


def _now(status: Document) -> float | None:
    try:
        return datetime.fromisoformat(str(status.get("now"))).timestamp()
    except ValueError:
        return None


def _resume(lag_seconds: float | None, now: float | None, advised: Advised, pipeline: str | None = None) -> str:
    """What a pause asks for, and until when: what waits for the longest is as old as the lag."""
    command = advised.command("resume", pipeline)
    lost = f"records are lost once they are {RETENTION_HOURS} hours old"
    if lag_seconds is None:
        return f"{command}: {lost}"
    left = RETENTION_SECONDS - lag_seconds
    if left <= 0:
        return f"{command}: {lost}, and the oldest ones are by now"
    until = "" if now is None else f", until {utc_text(moment(now + left))}"
    return f"{command} within {duration_text(left)}{until}: {lost}"


def _snapshot(advised: Advised) -> str:
    """What a gap asks for; waiting repairs nothing."""
    return (
        f"look whether the source holds its items and its stream is on, then {advised.command('snapshot')}: it makes "
        "the replica what the source holds, and removes the rest"
    )


def _why_letters(advised: Advised, pipeline: str | None = None) -> str:
    return f"{advised.command('dead-letters', pipeline)} tells why"


def _lag(status: Document) -> Text:
    lag = status.get("lag", {})
    seconds, unapplied = lag.get("seconds"), lag.get("unapplied_records")
    if seconds is None:
        return UNKNOWN
    told = duration_text(seconds)
    lost = _lost_from(status, seconds)
    if unapplied is None:
        if status.get("role") != "standby":
            return text(f"{told}, and growing: this process has the pipeline, and reads nothing{lost}", WORRY)
        is_told = "as the process that replicates told it last" if status.get("active") else "and growing"
        return text(f"{told}, {is_told}{lost}", WORRY)
    if lag.get("caught_up"):
        return text(f"{told}, caught up", GOOD)
    unread = "; more has not been read yet" if not unapplied and seconds > LONG_SECONDS else ""
    return text(f"{told}, {number(unapplied)} records unapplied{unread}{lost}", WORRY)


def _lost_from(status: Document, lag_seconds: float) -> str:
    """Where the lag is no moment's, and neither a pause nor a gap tells it."""
    now = _now(status)
    if now is None or lag_seconds < LONG_SECONDS or status.get("gaps") or status.get("paused_since"):
        return ""
    if lag_seconds >= RETENTION_SECONDS:
        return "; the oldest of it may be lost already"
    return f"; nothing is lost before {utc_text(moment(now + RETENTION_SECONDS - lag_seconds))}"


def _verification(found: Document | None) -> Text:
    if not found:
        return text("never")
    differences = sum(int(found.get(name) or 0) for name in ("missing", "extra", "different"))
    mended = int(found.get("repaired") or 0)
    return text(
        f"{number(found.get('items_compared'))} items, {number(differences)} differences, "
        + (f"{number(mended)} mended, " if mended else "")
        + f"{when(found['finished_at']) if found.get('finished_at') else found.get('state')}",
        WORRY if differences > mended else "",
    )


def _shards(shards: Iterable[Document], *, is_read: bool) -> RenderableType:
    """`is_read`: the pipeline is neither paused nor failed; in these no shard is read, whatever its own state."""
    table = Listing("shard", "state", "lag", "read", "settled", "checkpoint", whole=("shard", "checkpoint"))
    for shard in shards:
        state = str(shard.get("state"))
        lag = shard.get("lag_seconds")
        is_idle = state == "reading" and not is_read
        table.add_row(
            shard.get("shard_id"),
            text("not read now", WORRY) if is_idle else state_text(state),
            "" if lag is None else duration_text(lag),
            number(shard.get("records_read")),
            number(shard.get("records_applied")),
            shard.get("checkpoint"),
        )
    return table


def _list(found: Document, advised: Advised) -> RenderableType:
    table = Listing("pipeline", "state", "lag", "dead letters", "reason or warning", whole=("pipeline",))
    for item in sorted(found["items"], key=_urgency):
        state, letters = str(item.get("state")), item.get("dead_letters")
        is_stuck = _rank(item) == IN_TROUBLE
        lag = item.get("lag_seconds")
        table.add_row(
            item.get("name"),
            text(f"{state}, in trouble", BAD) if is_stuck else state_text(state),
            text("unknown" if lag is None else duration_text(lag), "" if item.get("caught_up") else WORRY),
            text("unknown" if letters is None else number(letters), BAD if letters else ""),
            item.get("reason") or "; ".join(item.get("warnings") or ()) or _hint(item, advised),
        )
    left_out = [
        Sentence(f"left out: {each.get('table')}: {each.get('reason')}") for each in found.get("left_out") or ()
    ]
    none = "There is no pipeline: [discover] has found no table to replicate."
    one = advised.command("status", "NAME")
    return Group(table, *left_out, text(f"{one} shows one of them." if found["items"] else none))


def _hint(item: Document, advised: Advised) -> str:
    name = str(item.get("name"))
    if item.get("state") == "paused":
        return _resume(item.get("lag_seconds"), None, advised, name)
    return _why_letters(advised, name) if item.get("dead_letters") else ""


def _rank(item: Document) -> int:
    """What is worst about it, as on the page."""
    state, is_ready = item.get("state"), bool(item.get("ready"))
    found = (
        state == "failed",
        not is_ready and state not in ("starting", "stopping"),
        state == "paused",
        (item.get("lag_seconds") or 0.0) >= BEHIND_SECONDS,
        not is_ready,
        bool(item.get("dead_letters")),
        bool(item.get("warnings")),
        True,
    )
    return found.index(True)


def _urgency(item: Document) -> tuple[object, ...]:
    """In the page's order: those that keep up by their names."""
    lag = item.get("lag_seconds") or 0.0
    late = lag if lag >= BEHIND_SECONDS else 0.0
    return _rank(item), -late, -(item.get("dead_letters") or 0), item.get("name")
