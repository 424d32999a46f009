"""The command line: `dynamirror COMMAND`, also `python -m service COMMAND`.

Thin: a command reads its settings, hands over, and turns an error into one clear line and an exit code. Exit codes:
0 done, 1 failed, 2 usage or configuration, 3 (`verify` only) differences found.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from service.cli import admin_commands, check_command, job_commands, letter_commands, migrate_command, run_command
from service.cli.asking import FAILED, WRONG_USAGE
from service.defects import told
from service.errors import ConfigurationError, DynamirrorError, leaves_of
from service.loading import loading

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a write of standard output meets; nothing else here writes to a file."""

app = typer.Typer(
    name="dynamirror",
    help="Replicates one DynamoDB table to another through DynamoDB Streams, in order and without loss.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help, and a wrong usage in one line
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"dynamirror {version('dynamirror')}")
        raise typer.Exit


@app.callback(epilog="Settings are environment variables, or the same names in a .env file; see docs/settings.md.")
def _options(
    is_version_wanted: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End by itself after so long.", min=0)
    ] = None,
) -> None:
    """Replicate between two tables of an emulator: no AWS account.

    The emulator is in this process, and needs no network.
    """
    with loading():
        from service.demo.show import show

    with contextlib.suppress(asyncio.CancelledError):  # a second Ctrl-C
        asyncio.run(show(Console(), seconds))


app.command()(migrate_command.migrate)
app.command()(check_command.check)
app.command()(run_command.run)
app.command()(job_commands.snapshot)
app.command()(job_commands.verify)
admin_commands.register(app)
app.add_typer(letter_commands.letters, name="dead-letters")


def main(arguments: list[str] | None = None) -> None:
    """The installed command's entry point; ends the process. Without `arguments`, with the process's own."""
    try:
        app(arguments, prog_name="dynamirror")
    except KeyboardInterrupt:
        sys.exit(FAILED)
    except SystemExit:
        raise
    except BaseException as error:  # the last place: what nobody reacted to becomes a line for a person
        sys.exit(tell(error))


def tell(error: BaseException) -> int:
    """Say on standard error what went wrong, and return the exit code."""
    causes = leaves_of(error)  # of tasks that fell together
    cause = next((each for each in causes if isinstance(each, DynamirrorError)), causes[0])
    if isinstance(cause, DynamirrorError):
        lines = str(cause).splitlines() or [type(cause).__name__]
    elif isinstance(cause, OSError) and cause.errno in _FULL:
        lines = [f"the output can't be written: {cause.strerror}; give it another place"]
    else:
        lines = [f"an unexpected error, which is a defect: {told(cause)}"]
    for line in lines:
        print(f"dynamirror: {line}", file=sys.stderr)
    return WRONG_USAGE if isinstance(cause, ConfigurationError) else FAILED
