"""The commands that ask a running service: status, pause, resume, replay, jobs, cancel, dead-letters.

Tables for people, `--json` for machines. What goes wrong is one line on standard error and exit code 1; a command that
makes no sense is exit code 2.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NoReturn

import typer
from rich.console import RenderableType
from rich.live import Live

from service.cli.admin_client import AdminClient, AdminError, Document
from service.cli.asking import FAILED, PipelineName, Url, asking
from service.cli.tables import console, dead_letter_table, job_table, pairs, printable, status_tables, text

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
LetterIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...")]
LetterId = Annotated[str, typer.Argument(metavar="ID")]
_TOKEN_TEXT = "The token comes from DYNAMIRROR_ADMIN_TOKEN."
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Given:
    """Options that stood before a subcommand's name."""

    url: str | None
    pipeline: str | None
    as_json: bool


class Horizon(StrEnum):
    TRIM_HORIZON = "trim_horizon"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog=_TOKEN_TEXT)(status)
    app.command(epilog=_TOKEN_TEXT)(pause)
    app.command(epilog=_TOKEN_TEXT)(resume)
    app.command(epilog=_TOKEN_TEXT)(replay)
    app.command("jobs", epilog=_TOKEN_TEXT)(list_jobs)
    app.command(epilog=_TOKEN_TEXT)(cancel)
    letters = typer.Typer(invoke_without_command=True, epilog=_TOKEN_TEXT)
    letters.callback()(list_letters)
    letters.command("show")(show_letter)
    letters.command("redrive")(redrive)
    letters.command("discard")(discard)
    app.add_typer(letters, name="dead-letters")


def status(
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C or SIGTERM.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.1)] = 2.0,
) -> None:
    """Show what the service does, how far behind it is, and what needs a person."""
    with asking(url, pipeline) as client:
        if not watch:
            _print(client.status(), as_json, status_tables)
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            (_watch_json if as_json else _watch)(client, every)


def pause(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """Stop the writes; returns when none is in flight any more. Kept through restarts."""
    with asking(url, pipeline) as client:
        _print(client.pause(), as_json, _state_line)


def resume(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """Let the writes go on."""
    with asking(url, pipeline) as client:
        _print(client.resume(), as_json, _state_line)


def replay(
    sequence_number: Annotated[str | None, typer.Option(help="Replay from this record on.")] = None,
    shard_id: Annotated[str | None, typer.Option(help="The shard of --sequence-number; found when left out.")] = None,
    from_time: Annotated[str | None, typer.Option(help="Replay from this time on, such as 2026-11-23T10:15Z.")] = None,
    from_: Annotated[Horizon | None, typer.Option("--from", help="Replay all that the stream has.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when it is done; exit code 1 if it failed or was cancelled.")
    ] = False,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Apply a part of the stream's history again; newer items of the replica stay as they are."""
    if sum(given is not None for given in (sequence_number, from_time, from_)) != 1:
        _usage("give exactly one of --sequence-number, --from-time and --from")
    if shard_id is not None and sequence_number is None:
        _usage("--shard-id goes with --sequence-number only")
    moment = None if from_time is None else _time(from_time)
    with asking(url, pipeline) as client:
        job = client.replay(
            sequence_number=sequence_number,
            shard_id=shard_id,
            from_time=moment,
            from_=from_.value if from_ else None,
            dry_run=dry_run,
        )
        while wait and _goes_on(job):
            time.sleep(_POLL_SECONDS)
            job = client.find_replay(str(job["id"]))
        _print(job, as_json, pairs)
        if job.get("error") or job.get("state") in ("failed", "cancelled"):
            raise typer.Exit(FAILED)


def list_jobs(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """List the snapshots, replays, verifications and redrives: those that run, then the newest."""
    with asking(url, pipeline) as client:
        _print({"items": client.jobs()}, as_json, lambda found: job_table(found["items"]))


def cancel(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="As `dynamirror jobs` lists it.")],
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """End a snapshot, replay, verification or redrive before its time; returns when nothing of it is under way."""
    with asking(url, pipeline) as client:
        _print(client.cancel(job_id), as_json, pairs)


def list_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1, max=1000)] = 100,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last list ended.")] = None,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """List the changes that could not be written, by sequence number; show, redrive or discard them."""
    if context.invoked_subcommand is not None:
        context.obj = Given(url, pipeline, as_json)
        return
    with asking(url, pipeline) as client:
        page = client.dead_letters(limit, cursor)
        _print(page, as_json, lambda found: dead_letter_table(found["items"]))
        if page.get("cursor") and not as_json:
            print(printable(f"There are more: --cursor {page['cursor']}"), file=sys.stderr)  # unbroken, to be copied


def show_letter(
    context: typer.Context, letter_id: LetterId, url: Url = None, pipeline: PipelineName = None, as_json: Json = False
) -> None:
    """Show one dead letter with its whole record, item values included."""
    given: Given = context.obj
    with asking(url or given.url, pipeline or given.pipeline) as client:
        _print(client.find_dead_letter(letter_id), as_json or given.as_json, pairs)


def redrive(
    context: typer.Context,
    ids: LetterIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Write dead letters again, unless a newer state of their item has been applied since; exit code 1 if some fail."""
    if bool(ids) == everything:
        _usage("give the ids of dead letters, or --all")
    given: Given = context.obj
    with asking(url or given.url, pipeline or given.pipeline) as client:
        outcome = client.redrive(None if everything else ids)
        while _goes_on(outcome):
            time.sleep(_POLL_SECONDS)
            outcome = client.find_redrive(str(outcome["id"]))
        _print(outcome, as_json or given.as_json, pairs)
        if outcome.get("failed") or outcome.get("state", "done") != "done":
            raise typer.Exit(FAILED)


def _goes_on(job: Document) -> bool:
    """Not so one that its pipeline has left unfinished, which says so."""
    return job.get("state") == "running" and not job.get("error")


def discard(
    context: typer.Context, ids: LetterIds = None, url: Url = None, pipeline: PipelineName = None, as_json: Json = False
) -> None:
    """Discard dead letters: their changes are given up for good."""
    if not ids:
        _usage("give the ids of dead letters")
    given: Given = context.obj
    as_json = as_json or given.as_json
    with asking(url or given.url, pipeline or given.pipeline) as client:
        for letter_id in ids:
            client.discard(letter_id)
            if not as_json:
                print(f"discarded {printable(letter_id)}")
    if as_json:
        print(json.dumps({"discarded": ids}))


def _watch(client: AdminClient, every: float) -> None:
    """Until Ctrl-C. A service that goes away is shown as such, and looked for again."""
    with Live(status_tables(client.status()), auto_refresh=False, screen=False) as live:
        for shown in _looks(client, every):
            live.update(status_tables(shown) if isinstance(shown, dict) else text(shown, "bold red"), refresh=True)


def _watch_json(client: AdminClient, every: float) -> None:
    """One document a line; a service that goes away is a line on standard error."""
    print(json.dumps(client.status()), flush=True)
    for shown in _looks(client, every):
        if isinstance(shown, dict):
            print(json.dumps(shown), flush=True)
        else:
            print(printable(shown), file=sys.stderr, flush=True)


def _looks(client: AdminClient, every: float) -> Iterator[Document | AdminError]:
    while True:
        time.sleep(every)
        try:
            shown: Document | AdminError = client.status()
        except AdminError as error:
            shown = error
        yield shown


def _print(document: Document, as_json: bool, rendered: Callable[[Document], RenderableType]) -> None:
    if as_json:
        print(json.dumps(document))
    else:
        console().print(rendered(document))


def _state_line(status: Document) -> RenderableType:
    return text(f"{status.get('pipeline')} is {status.get('state')}")


def _time(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        _usage(f"--from-time {given!r} is not a time; expected one such as 2026-11-23T10:15:00Z")
    if moment.tzinfo is None:
        _usage(f"--from-time {given!r} has no offset from UTC; expected one such as 2026-11-23T10:15:00Z")
    return moment.astimezone(UTC)


def _usage(message: str) -> NoReturn:
    raise typer.BadParameter(message)
