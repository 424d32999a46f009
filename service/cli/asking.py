"""How the commands that ask a running service find it: its address, its token, and one of its pipelines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from service.cli.admin_client import AdminClient, AdminError, UsageError, default_token, default_url
from service.cli.tables import printable
from service.configuration.settings import known_settings

Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the service's admin API is. [default: DYNAMIRROR_ADMIN_HOST and _PORT]"),
]
PipelineName = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        metavar="NAME",
        help="Which of its pipelines. [default: DYNAMIRROR_PIPELINE, or the only one]",
    ),
]
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
        with AdminClient(url or default_url(given), default_token(given), pipeline) as client:
            yield client
    except AdminError as error:
        print(printable(error), file=sys.stderr)
        raise typer.Exit(WRONG_USAGE if isinstance(error, UsageError) else FAILED) from None
    except KeyboardInterrupt:
        print("stopped; what was asked for goes on in the service", file=sys.stderr)
        raise typer.Exit(FAILED) from None
