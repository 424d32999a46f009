"""`migrate`, `snapshot` and `verify` with the installed command: what they do, print, and end with."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server, create_streamed_table, scan, sdk_client
from tests.support.installed.command import Command, ran_as_installed

ITEMS = 40


class Tables:
    """A source with items, an empty replica, and the settings for both."""

    def __init__(self, server: Server, dynamodb: Any, unique_name: Callable[[str], str]) -> None:
        self.dynamodb = dynamodb
        self.source, self.replica, self.control = (unique_name(word) for word in ("source", "replica", "control"))
        self.settings = {
            "source_table": self.source,
            "replica_table": self.replica,
            "control_table": self.control,
            "source_endpoint_url": server.endpoint_url,
            "replica_endpoint_url": server.endpoint_url,
        }

    async def fill(self) -> None:
        await create_streamed_table(self.dynamodb, self.source)
        await create_streamed_table(self.dynamodb, self.replica, view_type=None)
        for number in range(ITEMS):
            await self.put(self.source, number, "1")

    async def put(self, table: str, number: int, value: str) -> None:
        item = {"key": {"S": f"key{number}"}, "value": {"N": value}}
        await self.dynamodb.put_item(TableName=table, Item=item)


@pytest.fixture
async def tables(moto: Server, unique_name: Callable[[str], str]) -> Any:
    async with sdk_client(moto.endpoint_url) as dynamodb:
        found = Tables(moto, dynamodb, unique_name)
        await found.fill()
        yield found


async def test_a_migration_is_shown_done_once_and_then_nothing_is_left(tables: Tables) -> None:
    shown = await ran_as_installed("migrate", "--dry-run", **tables.settings)
    assert shown.code == 0
    assert shown.out.startswith("0001_")
    with pytest.raises(tables.dynamodb.exceptions.ResourceNotFoundException):
        await tables.dynamodb.describe_table(TableName=tables.control)

    done = await ran_as_installed("migrate", **tables.settings)
    assert done.code == 0
    assert "applied 0001_" in done.out
    assert (await tables.dynamodb.describe_table(TableName=tables.control))["Table"]["TableStatus"] == "ACTIVE"
    for arguments in (["migrate"], ["migrate", "--dry-run"]):
        again = await ran_as_installed(*arguments, **tables.settings)
        assert (again.code, again.out) == (0, "nothing to do\n")


async def test_a_snapshot_copies_and_a_verification_finds_and_mends(tables: Tables) -> None:
    copied = await ran_as_installed("snapshot", **tables.settings)
    assert (copied.code, copied.out) == (0, f"{ITEMS} items scanned, {ITEMS} written\n")
    assert len(await scan(tables.dynamodb, tables.replica)) == ITEMS

    equal = await ran_as_installed("verify", "--settle-seconds", "0", **tables.settings)
    assert (equal.code, equal.out) == (0, f"{ITEMS} items compared: equal\n")

    await tables.put(tables.replica, 1, "17")
    await tables.put(tables.replica, 4711, "1")
    await tables.dynamodb.delete_item(TableName=tables.replica, Key={"key": {"S": "key2"}})
    differing = await ran_as_installed("verify", "--settle-seconds", "0", **tables.settings)
    assert differing.code == 3
    assert "3 differ (1 missing, 1 extra, 1 different)" in differing.out
    for kind, number in (("different", 1), ("missing", 2), ("extra", 4711)):
        assert f'{kind}: {{"key": {{"S": "key{number}"}}}}\n' in differing.out

    told = await ran_as_installed("verify", "--json", "--settle-seconds", "0", **tables.settings)
    assert told.code == 3
    document = json.loads(told.out)
    assert (document["missing"], document["extra"], document["different"]) == (1, 1, 1)

    mended = await ran_as_installed("verify", "--repair", **tables.settings)
    assert mended.code == 0
    assert "mended" in mended.out  # of the three, those that the stream did not bring again at the start
    assert 'extra: {"key": {"S": "key4711"}}\n' in mended.out
    assert (await ran_as_installed("verify", "--settle-seconds", "0", **tables.settings)).code == 0


async def test_a_world_that_is_not_as_it_must_be_is_one_line_and_exit_code_1(tables: Tables) -> None:
    for command in ("run", "snapshot", "verify"):
        ended = await ran_as_installed(command, **tables.settings | {"source_table": "no-such-table"})
        assert ended.code == 1
        (line,) = ended.err.splitlines()
        assert line.startswith("dynamirror: ")
        assert "no-such-table" in line
        assert "Traceback" not in ended.err


async def test_settings_come_from_an_env_file_in_the_working_directory(tables: Tables, tmp_path: Path) -> None:
    lines = [f"DYNAMIRROR_{name.upper()}={value}\n" for name, value in tables.settings.items()]
    (tmp_path / ".env").write_text("".join(lines))
    async with Command("migrate", folder=str(tmp_path)) as command:
        ended = await command.ended()

    assert ended.code == 0
    assert "applied 0001_" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stopped_verification_says_so_in_one_line(tables: Tables, number: signal.Signals) -> None:
    async with Command("verify", "--settle-seconds", "600", **tables.settings) as command:
        await command.said(r"^verify: \d+ compared")
        command.send(number)
        ended = await command.ended()

    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "dynamirror: stopped: nothing was compared to the end"
    assert "Traceback" not in ended.err


async def test_a_stopped_repair_says_that_it_goes_on_and_the_next_one_does(tables: Tables) -> None:
    async with Command("verify", "--repair", max_writes_per_second=2, **tables.settings) as command:
        await command.said(r"snapshot running")  # which comes first, on an empty control table
        command.send(signal.SIGTERM)
        ended = await command.ended()
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "dynamirror: stopped: the repair goes on when you start it again"

    again = await ran_as_installed("verify", "--repair", "--json", **tables.settings)
    assert again.code == 0
    assert json.loads(again.out)["state"] == "done"
    assert len(await scan(tables.dynamodb, tables.replica)) == ITEMS
