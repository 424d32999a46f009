"""What the commands that ask a running service share: how they find it, and how they tell its answer."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import RenderableType

from service.cli.admin_client import AdminClient, AdminError, Document, UsageError, default_token, default_url
from service.cli.advised import Advised
from service.cli.listing import printable
from service.cli.tables import console
from service.configuration.settings import known_settings

Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="Where the service's admin API is. [default: DYNAMIRROR_ADMIN_HOST and _PORT]"
    ),
]
PipelineName = Annotated[
    str | None,
    typer.Option(
        "--pipeline", metavar="NAME", help="Which of its pipelines. [default: DYNAMIRROR_PIPELINE, or the only one]"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
TOKEN_TEXT = "The token comes from DYNAMIRROR_ADMIN_TOKEN."
POLL_SECONDS = 1.0
FAILED = 1
WRONG_USAGE = 2


@contextmanager
def asking(url: str | None, pipeline: str | None) -> Iterator[AdminClient]:
    """A client; what it raises becomes one line on standard error and exit code 1, or 2 for a wrong usage.

    Raises ConfigurationError.
    """
    given = known_settings()
    pipeline = pipeline or given.get("DYNAMIRROR_PIPELINE")
    try:
        with AdminClient(default_url(given) if url is None else url, default_token(given), pipeline) as client:
            client.advised = Advised(url, pipeline)
            yield client
    except AdminError as error:
        print(printable(error), file=sys.stderr)
        raise typer.Exit(WRONG_USAGE if isinstance(error, UsageError) else FAILED) from None
    except KeyboardInterrupt:
        print("stopped; what was asked for goes on in the service", file=sys.stderr)
        raise typer.Exit(FAILED) from None


def show(document: Document, as_json: bool, rendered: Callable[[Document], RenderableType]) -> None:
    """On standard output, for a program or for a person."""
    if as_json:
        print(json.dumps(document))
    else:
        console().print(rendered(document), crop=False)  # an id may be longer than the line


def followed(
    client: AdminClient,
    kind: str,
    job: Document,
    show: Callable[[Document], None] = lambda job: None,
    *,
    poll_seconds: float = POLL_SECONDS,
) -> Document:
    """The job as it ended; one that its pipeline has left unfinished says so, and is waited for no longer.

    If it stands still because the pipeline is paused, standard error says so, once.
    """
    is_told = False
    while job.get("state") == "running" and not job.get("error"):
        show(job)
        time.sleep(poll_seconds)
        before, job = job, client.job(kind, str(job["id"]))
        if job == before and not is_told and client.ask("GET", "/status", "pipeline").get("paused_since"):
            is_told = True
            resume = client.advised.command("resume")
            print(f"the pipeline is paused, and the {kind} waits: {resume} lets it go on", file=sys.stderr)
    return job
