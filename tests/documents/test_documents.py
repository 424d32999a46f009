"""The documents say what the code does: whatever a user may meet is in `docs/`, and nothing is there that is not."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main

from service.cli.commands import app
from service.configuration.environment import PREFIX
from service.configuration.settings import Settings
from tests.support.markdown import README, ROOT, Document, code, docs, documents
from tests.support.metric_series import all_series, documentation
from tests.support.syntax_trees import is_call, trees

SETTINGS = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items()}
ATTRIBUTES = {"dynamirror_sequence"}
"""Names that begin as metrics do, and are none."""


def written(value: object) -> str:
    """A setting's default as people write it."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_settings_are_exactly_those_that_there_are() -> None:
    named = [name for row in docs("settings").table("All settings") for name in code(row["name"])]
    assert sorted(named) == sorted(SETTINGS)


@pytest.mark.parametrize("row", docs("settings").table("All settings"), ids=lambda row: row["name"].strip("`"))
def test_the_default_of_a_setting_is_told(row: dict[str, str]) -> None:
    told = code(row["default"])
    for name in code(row["name"]):
        field = SETTINGS[name]
        if field.is_required():
            assert row["default"] == "required"
        elif field.default is None or field.default == ():
            # What stands for None is said in words, but for the pipeline's name and the log's form.
            assert not told or name in (f"{PREFIX}PIPELINE", f"{PREFIX}LOG_FORMAT")
        else:
            assert written(field.default) in told


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_setting_that_does_not_exist(document: Document) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]", document.text))
    of_tests = {f"{PREFIX}TEST_{what}" for what in ("ITEMS", "SHARDS", "THOROUGHLY")}
    assert named <= SETTINGS.keys() | of_tests


def test_the_metrics_are_exactly_those_that_there_are() -> None:
    assert docs("metrics").section("All metrics").strip() == documentation().strip()


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_metric_that_does_not_exist(document: Document) -> None:
    named = set(re.findall(r"\bdynamirror_[a-z_]*[a-z]", document.text))
    assert named <= {each.name for each in all_series()} | ATTRIBUTES


# --- the command line


def command_lines() -> dict[str, set[str]]:
    """Every command with its options, but for --help."""

    def options(command: Any) -> set[str]:
        return {name for parameter in command.params for name in parameter.opts if name.startswith("--")} - {"--help"}

    def walk(words: str, command: Any) -> Iterator[tuple[str, set[str]]]:
        # A group that does nothing by itself is no command.
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield words, options(command)
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(f"{words} {name}", inner)

    root: Any = typer.main.get_command(app)
    return dict(line for name in root.commands for line in walk(f"dynamirror {name}", root.commands[name]))


def test_the_commands_and_options_are_exactly_those_that_there_are() -> None:
    told: dict[str, set[str]] = {}
    for row in docs("commands").table("Reference"):
        for command in code(row["command"]):
            told[command] = set(re.findall(r"--[a-z-]+", row["options"]))
    assert told == command_lines()
    assert "`dynamirror --version`" in docs("commands").text


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_command_that_does_not_exist(document: Document) -> None:
    known = command_lines() | {"dynamirror": {"--version", "--help", "--install-completion", "--show-completion"}}
    for line in [*re.findall(r"`(dynamirror [^`]+)`", document.prose()), *in_blocks(document)]:
        words = " ".join(line.split()).split(" ")
        command = max((name for name in known if f"{' '.join(words)} ".startswith(f"{name} ")), key=len)
        assert len(words) < 2 or command != "dynamirror" or words[1] in known["dynamirror"], line
        assert {word for word in words if word.startswith("--")} <= known[command] | {"--help"}, line


def in_blocks(document: Document) -> list[str]:
    lines = [command for block in document.blocks() for command in block.commands]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("dynamirror ")]


def exit_codes() -> set[int]:
    """0, what click ends a wrong usage with, and every code that the commands end with by name or number."""
    constants: dict[str, int] = {}
    found: set[int] = {0, click.UsageError.exit_code}
    for tree in trees():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                constants |= {
                    target.id: node.value.value
                    for target in node.targets
                    if isinstance(target, ast.Name) and isinstance(node.value.value, int)
                }
    ends = [node for tree in trees() for node in ast.walk(tree) if is_call(node, "Exit") or is_call(node, "exit")]
    for node in ends:
        for argument in node.args if isinstance(node, ast.Call) else ():
            if isinstance(argument, ast.Constant) and isinstance(argument.value, int):
                found.add(argument.value)
            elif isinstance(argument, ast.Name) and argument.id in constants:
                found.add(constants[argument.id])
    return found


def test_the_exit_codes_are_exactly_those_that_there_are() -> None:
    assert {int(row["exit code"]) for row in docs("commands").table("Exit codes")} == exit_codes()


def test_the_readme_stays_a_page_to_begin_with() -> None:
    """What a newcomer does not need is a page of `docs/`."""
    assert len(README.text.splitlines()) <= 170


# --- all documents


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_every_link_leads_somewhere(document: Document) -> None:
    for link in document.links():
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        assert target.exists(), f"{document.path.name}: {link}"
        if anchor:
            assert anchor in Document(target).anchors(), f"{document.path.name}: {link}"


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_every_file_that_is_named_exists(document: Document) -> None:
    top = {path.name for path in ROOT.iterdir()} - {"dist"}
    for name in code(document.prose()):
        found = re.fullmatch(r"((?:[\w.-]+/)+[\w.-]*)(?:::\w+)?", name)
        if found and found[1].split("/")[0] in top and not Path(ROOT / found[1]).exists():
            raise AssertionError(f"{document.path.name} names {name}, which is not there")
