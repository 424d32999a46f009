"""The demo's own parts: what it writes, how it compares, and what it shows."""

from __future__ import annotations

import asyncio
import io
import random
import re
import shlex
from typing import Any

import pytest
from rich.console import Console

from service.demo.emulator import REPLICA, SOURCE, Item, Tables
from service.demo.scene import SHOWN, Changes, Made, Scene, count_differing, look
from service.demo.screen import Screen, commands, line
from service.demo.show import demo_settings
from service.demo.writer import KEYS, Writer
from tests.fakes.console import FakeConsole

ADMIN, EMULATOR = "http://127.0.0.1:8080", "http://127.0.0.1:5000"


class FakeTables:
    """Implements what writer and scene use of emulator.Tables."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Item]] = {SOURCE: {}, REPLICA: {}}

    async def put(self, item: Item) -> None:
        self.held[SOURCE][item["key"]["S"]] = item

    async def delete(self, key: str) -> None:
        del self.held[SOURCE][key]

    async def items(self, table: str) -> dict[str, Item]:
        return dict(self.held[table])


async def test_an_emulator_is_waited_for_on_a_machine_that_has_other_work():
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(30)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer_late, "127.0.0.1", 0)
    async with server, Tables(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as tables:
        await tables.delete("key1")


def item(key: str, value: str, **more: Any) -> Item:
    return {"key": {"S": key}, "value": {"S": value}, **more}


def scene(differing: int = 0) -> Scene:
    made = Made(0.0, "INSERT", "key1", "value1")
    return Scene(source_items=3, replica_items=3, differing=differing, status=FakeConsole().status(), last=(made,))


async def test_the_writer_inserts_modifies_and_removes():
    tables = FakeTables()
    writer = Writer(tables, random.Random(1))  # type: ignore[arg-type]  # as much of Tables as it uses
    await writer.begin()
    assert len(tables.held[SOURCE]) == 5

    changes = Changes()
    changes.look(await tables.items(SOURCE))
    seen: list[Made] = []
    for _ in range(200):
        await writer.write_once()
        changes.look(await tables.items(SOURCE))
        seen.append(changes.last[0])
    assert {made.event_name for made in seen} == {"INSERT", "MODIFY", "REMOVE"}
    assert {made.key for made in seen} <= set(KEYS)
    values = [made.value for made in seen if made.value is not None]
    assert len(values) == len(set(values)), "every value is new"


async def test_the_writer_leaves_items_of_others_alone():
    tables = FakeTables()
    await tables.put(item("mine", "1"))
    writer = Writer(tables, random.Random(2))  # type: ignore[arg-type]  # as much of Tables as it uses
    for _ in range(100):
        await writer.write_once()

    assert tables.held[SOURCE]["mine"] == item("mine", "1")


def test_items_are_compared_without_what_the_service_adds():
    stamped = item("a", "1", timestamp={"S": "now"}, dynamirror_sequence={"S": "0" * 40})
    ignored = frozenset({"timestamp", "dynamirror_sequence"})

    assert count_differing({"a": item("a", "1")}, {"a": stamped}, ignored) == 0
    assert count_differing({"a": item("a", "2")}, {"a": stamped}, ignored) == 1
    assert count_differing({}, {"a": stamped}, ignored) == 1
    assert count_differing({"a": item("a", "1")}, {}, ignored) == 1


async def test_a_look_counts_both_tables_and_shows_what_is_new():
    tables, console = FakeTables(), FakeConsole()
    writer = Writer(tables, random.Random(3))  # type: ignore[arg-type]  # as much of Tables as it uses
    await writer.begin()
    tables.held[REPLICA] = {"key1": tables.held[SOURCE]["key1"]}

    seen = await look(tables, Changes(), console.status, frozenset())  # type: ignore[arg-type]  # as above
    assert (seen.source_items, seen.replica_items, seen.differing) == (5, 1, 4)
    assert seen.comparison == "4 on their way"
    assert {(made.event_name, made.key) for made in seen.last} == {("INSERT", key) for key in KEYS[:5]}


def test_what_a_person_puts_shows_among_the_last_changes_and_stays_there_beside_the_writers():
    seconds = iter(range(1000))
    changes = Changes(now=lambda: float(next(seconds)))
    held = {"mine": item("mine", "1"), "wide": item("wide", "1", more={"N": "2"})}
    changes.look(dict(held))
    held["mine"] = item("mine", "\x1b[2J")
    changes.look(dict(held))
    for number in range(3 * SHOWN):
        held["key1"] = item("key1", str(number))
        changes.look(dict(held))

    told = [str(made) for made in changes.last]
    assert told[:SHOWN] == [f"MODIFY key1 = {number}" for number in reversed(range(2 * SHOWN, 3 * SHOWN))]
    assert told[SHOWN:] == [
        'MODIFY mine = {"value": {"S": "\\u001b[2J"}}',
        'INSERT wide = {"value": {"S": "1"}, "more": {"N": "2"}}',
        "INSERT mine = 1",
    ]
    del held["mine"]
    changes.look(dict(held))
    assert str(changes.last[0]) == "REMOVE mine"


def test_a_line_tells_both_tables_the_lag_and_the_counts():
    assert line(scene()) == (
        "running: master-table 3 items, replica-table 3 items, equal, lag 1.5 s, 12 records read, 9 applied, "
        "last: INSERT key1 = value1"
    )


def shown(*, is_terminal: bool, width: int = 200) -> str:
    written = io.StringIO()
    console = Console(file=written, force_terminal=is_terminal, width=width, color_system=None)
    with Screen(console, ["port 8080 is taken: the admin API listens on 9090"], ADMIN, EMULATOR) as screen:
        screen.show(scene(differing=1))
        screen.end(scene())
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())


def test_without_a_terminal_there_are_plain_lines_that_can_be_copied():
    lines = shown(is_terminal=False).splitlines()

    assert lines[0].startswith("port 8080 is taken")
    assert lines[1] == f"admin API: {ADMIN}"
    assert f"pause: curl -X POST {ADMIN}/pause" in lines
    assert any("1 on their way" in each for each in lines)
    assert lines[-1] == "both tables hold the same 3 items"


def test_on_a_terminal_there_is_a_picture_of_both_tables_with_what_to_try():
    text = shown(is_terminal=True)

    for word in (SOURCE, REPLICA, "lag", "1.5 s", "1 on their way", "key1", "port 8080 is taken", f"{ADMIN}/resume"):
        assert word in text
    assert text.strip().endswith("both tables hold the same 3 items")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_each_command_is_a_line_of_its_own_to_be_copied(width: int):
    lines = shown(is_terminal=True, width=width).splitlines()
    for _, command in commands(ADMIN, EMULATOR):
        assert command in lines
        assert shlex.split(command)[0] == "curl"


def test_the_commands_to_try_ask_the_demos_own_addresses():
    for _, command in commands(ADMIN, EMULATOR):
        assert command.startswith("curl ")
        assert ADMIN in command or EMULATOR in command


def test_the_demo_has_settings_of_its_own_on_loopback():
    settings = demo_settings(EMULATOR, {"DYNAMIRROR_SOURCE_TABLE": "mine", "DYNAMIRROR_NONSENSE": "1"}, 8080)

    assert (settings.source_table, settings.replica_table) == ("master-table", "replica-table")
    assert settings.source_endpoint_url == settings.replica_endpoint_url == EMULATOR
    assert settings.admin_host == "127.0.0.1"
