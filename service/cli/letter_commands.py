"""`dynamirror dead-letters`: the changes that could not be written, as a running service lists them."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from service.cli.admin_client import segment
from service.cli.asking import FAILED, TOKEN_TEXT, Json, PipelineName, Url, asking, followed, show
from service.cli.listing import printable
from service.cli.tables import dead_letter_table, pairs, redrive_tables

# Hidden from the help's list of arguments, which tells their Python types: they are in the usage, and in the text.
LetterIds = Annotated[list[str] | None, typer.Argument(metavar="ID", hidden=True)]
LetterId = Annotated[str, typer.Argument(metavar="ID", hidden=True)]


letters = typer.Typer(invoke_without_command=True, epilog=TOKEN_TEXT)


@letters.callback()
def list_letters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(metavar="NUMBER", help="At most this many.", min=1, max=1000)] = 100,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on where the last list ended.")] = None,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """List the changes that could not be written.

    By sequence number; the subcommands show, redrive or discard them.
    """
    if context.invoked_subcommand is not None:
        given = {"url": url, "pipeline": pipeline, "as_json": as_json}  # before the subcommand's name, and count for it
        context.default_map = {context.invoked_subcommand: given}
        return
    asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
    with asking(url, pipeline) as client:
        page = client.ask("GET", "/dead-letters", "items", params=asked)
        show(page, as_json, lambda found: dead_letter_table(found["items"]))
        if page.get("cursor") and not as_json:
            print(printable(f"There are more: --cursor {page['cursor']}"), file=sys.stderr)  # unbroken, to be copied


@letters.command("show")
def show_letter(letter_id: LetterId, url: Url = None, pipeline: PipelineName = None, as_json: Json = False) -> None:
    """Show one with its whole record, item values included.

    ID is as `dynamirror dead-letters` lists it.
    """
    with asking(url, pipeline) as client:
        show(client.ask("GET", f"/dead-letters/{segment(letter_id)}", "id"), as_json, pairs)


@letters.command()
def redrive(
    ids: LetterIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Write dead letters again, but for those that are superseded.

    A newer state of their item has been applied since. ID is as `dynamirror dead-letters` lists it. Exit code 1 if some
    fail.
    """
    if bool(ids) == everything:
        raise typer.BadParameter("give the ids of dead letters, or --all")
    with asking(url, pipeline) as client:
        outcome = followed(client, "redrive", client.redrive(None if everything else ids))
        show(outcome, as_json, redrive_tables)
        if outcome.get("failed") or outcome.get("state", "done") != "done":
            raise typer.Exit(FAILED)


@letters.command()
def discard(
    ids: LetterIds = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    pipeline: PipelineName = None,
    as_json: Json = False,
) -> None:
    """Give up the changes of some of them for good.

    ID is as `dynamirror dead-letters` lists it.
    """
    if not ids:
        raise typer.BadParameter("give the ids of dead letters")
    if not is_sure:
        _ask(len(ids))
    with asking(url, pipeline) as client:
        for letter_id in ids:
            client.ask("DELETE", f"/dead-letters/{segment(letter_id)}", None)
            if not as_json:
                print(f"discarded {printable(letter_id)}")
    if as_json:
        print(json.dumps({"discarded": ids}))


def _ask(count: int) -> None:
    """Returns if a person is sure; there is no way back."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("a discard can't be undone, and nobody can be asked here: say --yes")
    letters = "1 dead letter" if count == 1 else f"{count} dead letters"
    if not typer.confirm(f"Discard {letters} for good?", err=True):
        print("nothing was discarded", file=sys.stderr)
        raise typer.Exit(FAILED)
