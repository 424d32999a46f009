"""The commands that ask a running service: status, pause, resume, replay, replicate, jobs, cancel.

Tables for people, `--json` for machines. What goes wrong is one line on standard error and exit code 1; a command that
makes no sense is exit code 2.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType

from service.cli.admin_client import AdminClient, AdminError, Document
from service.cli.asking import FAILED, TOKEN_TEXT, Json, PipelineName, Url, asking, followed, show
from service.cli.listing import Sentence, printable, text
from service.cli.moment import moment
from service.cli.status_tables import overview_tables
from service.cli.tables import console, job_table, pairs


class Horizon(StrEnum):
    TRIM_HORIZON = "trim_horizon"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (status, pause, resume, replay, replicate, jobs, cancel):
        app.command(epilog=TOKEN_TEXT)(command)


def status(
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C or SIGTERM.")] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="With --watch: between two looks.", min=0.1, max=3600)
    ] = 2.0,
) -> None:
    """Show state, lag, shards, totals and warnings.

    Of several pipelines, where none is named: each in a line, the worst first.
    """
    with asking(url, pipeline) as client:
        if not watch:
            show(client.overview(), as_json, lambda found: overview_tables(found, client.advised))
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            (_watch_json if as_json else _watch)(client, every)


def pause(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """Stop the writes. A restart keeps the pause.

    Returns when no write is in flight any more.
    """
    with asking(url, pipeline) as client:
        show(client.ask("POST", "/pause", "pipeline"), as_json, _state_line)


def resume(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """Let the writes go on."""
    with asking(url, pipeline) as client:
        show(client.ask("POST", "/resume", "pipeline"), as_json, _state_line)


def replay(
    sequence_number: Annotated[str | None, typer.Option(metavar="NUMBER", help="Replay from this record on.")] = None,
    shard_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The shard of --sequence-number; found when left out.")
    ] = None,
    from_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Replay from this time on: 2026-11-23T10:15Z, '2026-11-23T10:15 local', or -1h30m before now.",
        ),
    ] = None,
    from_: Annotated[
        Horizon | None, typer.Option("--from", metavar="trim_horizon", help="Replay all that the stream has.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when it is done; exit code 1 if it failed or was cancelled.")
    ] = False,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Apply a part of the stream's history again.

    Newer items of the replica stay as they are.
    """
    if sum(given is not None for given in (sequence_number, from_time, from_)) != 1:
        raise typer.BadParameter("give exactly one of --sequence-number, --from-time and --from")
    if shard_id is not None and sequence_number is None:
        raise typer.BadParameter("--shard-id goes with --sequence-number only")
    try:
        begin = None if from_time is None else moment(from_time, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(f"--from-time {error}") from None
    asked = {
        "sequence_number": sequence_number,
        "shard_id": shard_id,
        "from_time": begin.isoformat() if begin else None,
        "from": from_,
        "dry_run": dry_run,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    with asking(url, pipeline) as client:
        job = client.ask("POST", "/replay", "id", json=given)
        if wait:
            job = followed(client, "replay", job)
        show(job, as_json, pairs)
        if job.get("error") or job.get("state") in ("failed", "cancelled"):
            raise typer.Exit(FAILED)


def replicate(
    key: Annotated[str, typer.Argument(metavar="KEY", hidden=True)],
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Copy one item as the source has it now, beside the stream.

    KEY is the item's key in DynamoDB JSON, as `dynamirror verify` prints it: '{"pk": {"S": "key1"}}'.
    """
    try:
        keys = json.loads(key)
    except (ValueError, RecursionError):
        keys = None
    if not isinstance(keys, dict):
        raise typer.BadParameter(
            f"""{key!r} is not a key; expected DynamoDB JSON such as '{{"pk": {{"S": "key1"}}}}'"""
        )
    with asking(url, pipeline) as client:
        show(client.ask("POST", "/replicate", "outcome", json={"keys": keys}), as_json, pairs)


def jobs(url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """List snapshots, replays, verifications and redrives.

    Those that run come first, then the newest.
    """
    with asking(url, pipeline) as client:
        show({"items": client.jobs()}, as_json, lambda found: job_table(found["items"]))


def cancel(
    job_id: Annotated[str, typer.Argument(metavar="ID", hidden=True)],
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """End one of the jobs before its time.

    ID is as `dynamirror jobs` lists it. Returns when nothing of the job is under way.
    """
    with asking(url, pipeline) as client:
        show(client.cancel(job_id), as_json, pairs)


def _watch(client: AdminClient, every: float) -> None:
    """Until Ctrl-C: each look on a clean screen, in a pipe one below the other.

    A service that goes away is shown as such, and looked for again.
    """
    for shown in itertools.chain([client.overview()], _looks(client, every)):
        page = console()  # as wide as the terminal is by now
        page.clear()
        page.print(
            overview_tables(shown, client.advised) if isinstance(shown, dict) else text(shown, "bold red"), crop=False
        )


def _watch_json(client: AdminClient, every: float) -> None:
    """One document a line; a service that goes away is a line on standard error."""
    print(json.dumps(client.overview()), flush=True)
    for shown in _looks(client, every):
        if isinstance(shown, dict):
            print(json.dumps(shown), flush=True)
        else:
            print(printable(shown), file=sys.stderr, flush=True)


def _looks(client: AdminClient, every: float) -> Iterator[Document | AdminError]:
    while True:
        time.sleep(every)
        try:
            shown: Document | AdminError = client.overview()
        except AdminError as error:
            shown = error
        yield shown


def _state_line(status: Document) -> RenderableType:
    why = f": {status['reason']}" if status.get("reason") else ""
    return Sentence(f"{status.get('pipeline')} is {status.get('state')}{why}")
