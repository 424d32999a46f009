"""The commands that ask a running service which has several pipelines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli.commands import app
from service.operations.documents.fleet import LeftOut
from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.consoles import FakeConsoles
from tests.fakes.served_api import Serve
from tests.support.admin_shell import Shell

COMMANDS = [
    ("pause",),
    ("resume",),
    ("jobs",),
    ("replay", "--from", "trim_horizon"),
    ("dead-letters",),
    ("dead-letters", "redrive", "--all"),
    ("cancel", "a"),
    ("replicate", '{"pk": {"S": "key1"}}'),
]


@pytest.fixture
def consoles() -> FakeConsoles:
    return FakeConsoles("orders", "users/eu")


@pytest.fixture
async def shell(serve: Serve, consoles: FakeConsoles, tmp_path: Path) -> Shell:
    server = await serve(FakeApi(admin_token=ADMIN, consoles=consoles))
    return Shell(tmp_path, server.url)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_without_a_name_one_line_tells_the_names_and_the_exit_code_is_2(shell: Shell, command):
    code, out, err = await shell.run(*command)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "--pipeline" in err
    assert "orders, users/eu" in err


async def test_the_status_without_a_name_is_a_line_for_each_and_the_worst_is_on_top(
    shell: Shell, consoles: FakeConsoles
):
    consoles.consoles["users/eu"].reason = "the replica refuses all writes"
    consoles.consoles["orders"].add_letter("a")
    consoles.not_replicated = [LeftOut(table="prod-x", reason="it has no stream")]
    code, out, err = await shell.run("status")
    assert (code, err) == (0, "")
    _, first, second, left_out, hint = (line.strip() for line in out.splitlines())
    assert re.fullmatch(r"users/eu +running, in trouble +1\.5 s +0 +the replica refuses all writes", first)
    advice = rf"`dynamirror dead-letters --url {shell.url} --pipeline orders` tells why"
    assert re.fullmatch(rf"orders +running +1\.5 s +1 +{advice}", second)
    assert left_out == "left out: prod-x: it has no stream"
    assert "--pipeline" in hint
    code, out, err = await shell.run("status", "--json")
    assert {each["name"] for each in json.loads(out)["items"]} == {"orders", "users/eu"}


@pytest.mark.parametrize("way", ["option", "environment", "both", "before the subcommand"])
async def test_a_command_asks_the_pipeline_that_is_named(shell: Shell, consoles: FakeConsoles, way: str):
    consoles.consoles["users/eu"].add_letter("a")
    if way != "option":
        shell.extra = {"DYNAMIRROR_PIPELINE": "users/eu" if way == "environment" else "orders"}
    option = () if way == "environment" else ("--pipeline", "users/eu")
    command = (
        ("dead-letters", *option, "redrive") if way == "before the subcommand" else ("dead-letters", "redrive", *option)
    )
    code, out, err = await shell.run(*command, "--all", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"redriven": 1, "superseded": 0, "failed": 0}
    assert not consoles.consoles["orders"].asked


async def test_a_name_that_is_none_is_told_with_those_that_there_are(shell: Shell):
    code, _, err = await shell.run("status", "--pipeline", "order")
    assert code == 1
    assert "orders, users/eu" in err


async def test_a_job_is_begun_and_followed_in_the_pipeline_that_is_named(shell: Shell, consoles: FakeConsoles):
    code, out, _ = await shell.run("replay", "--from", "trim_horizon", "--pipeline", "orders", "--json")
    assert code == 0
    code, out, _ = await shell.run("cancel", json.loads(out)["id"], "--pipeline", "orders", "--json")
    assert (code, json.loads(out)["state"]) == (0, "cancelled")
    assert not consoles.consoles["users/eu"].asked


@pytest.mark.parametrize("command", ["snapshot", "verify"])
def test_a_job_that_this_process_does_itself_takes_no_name(command: str):
    result = CliRunner().invoke(app, [command, "--pipeline", "orders"])
    assert result.exit_code == 2
    assert "--config" in result.output
