"""The documents say what the code does: whatever a user may meet is in the README, and nothing is there that is not."""

from __future__ import annotations

import ast
import enum
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
import yaml

from api.problems import TYPES
from service.cli import app
from service.config import Settings
from service.environment import PREFIX
from service.operations.jobs import JobState
from service.operations.status import PipelineState, Role, ShardState
from service.series import ALL, documentation
from tests.fakes.api import FakeApi
from tests.markdown import README, ROOT, Document, code, documents, quoted

SETTINGS = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items()}
ATTRIBUTES = {"dynamirror_sequence"}
"""Names that begin as metrics do, and are none."""


def written(value: object) -> str:
    """A setting's default as people write it."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_readme_has_exactly_the_settings_that_there_are() -> None:
    named = [name for row in README.table("Settings") for name in code(row["name"])]
    assert sorted(named) == sorted(SETTINGS)


@pytest.mark.parametrize("row", README.table("Settings"), ids=lambda row: row["name"].strip("`"))
def test_the_readme_tells_the_default_of_a_setting(row: dict[str, str]) -> None:
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
    assert named <= SETTINGS.keys() | {f"{PREFIX}TEST_ITEMS"}


def test_the_readme_has_the_table_of_all_metrics() -> None:
    assert documentation().strip() in README.text


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_metric_that_does_not_exist(document: Document) -> None:
    named = set(re.findall(r"\bdynamirror_[a-z_]*[a-z]", document.text))
    assert named <= {series.name for series in ALL} | ATTRIBUTES


def calls() -> set[str]:
    """Every call of the admin API, as the OpenAPI document lists them: `GET /status`."""
    paths = FakeApi().app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


def test_the_readme_has_exactly_the_calls_that_there_are() -> None:
    assert {call for row in README.table("The admin API") for call in code(row["call"])} == calls()


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_call_that_does_not_exist(document: Document) -> None:
    patterns = [re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(call)) for call in calls()]
    for call in re.findall(r"`((?:GET|POST|DELETE|PUT) /[^`\s?]*)", document.prose()):
        assert any(re.fullmatch(pattern, call) for pattern in patterns) or call == "DELETE /dead-letters", call


def test_the_readme_has_exactly_the_problems_that_there_are() -> None:
    assert {int(row["status"]): code(row["problem"])[0] for row in README.table("Problems")} == TYPES


def test_the_readme_says_what_to_do_in_each_state() -> None:
    named = [word for row in README.table("States") for word in code(row["symptom"])]
    assert set(named) == {state.value for state in PipelineState}


def test_the_readme_names_the_states_of_shards_jobs_and_processes() -> None:
    (paragraph,) = [part for part in README.section("States").split("\n\n") if part.startswith("A shard's state")]
    words = {word for word in code(paragraph) if re.fullmatch(r"[a-z_]+", word)} - {"error"}
    assert words == {state.value for states in (ShardState, JobState, Role) for state in states}


# --- sentences that the code says to people: the parts of them that never change


@functools.cache
def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted((ROOT / "service").rglob("*.py"))]


def fixed_parts(node: ast.expr) -> list[str]:
    """The literal parts of a string expression, f-strings included."""
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) > 2
    ]


def functions(*names: str) -> Iterator[ast.AST]:
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names:
                yield node


def is_call(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (isinstance(function, ast.Name) and function.id == name) or (
        isinstance(function, ast.Attribute) and function.attr == name
    )


def warnings_said() -> list[list[str]]:
    events = [node for tree in trees() for node in ast.walk(tree) if is_call(node, "Warned")]
    said = [fixed_parts(node.args[1]) for node in events if isinstance(node, ast.Call)]
    for function in functions("_warnings", "warnings"):
        for node in ast.walk(function):
            if is_call(node, "append") and isinstance(node, ast.Call):
                said.append(fixed_parts(node.args[0]))
    return said


def reasons_said() -> list[list[str]]:
    """Why a pipeline is not ready."""
    said = [
        fixed_parts(node.value)
        for function in functions("not_ready_reason", "stalled_reason", "_not_one")
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    ]
    problems = [
        fixed_parts(node.value)
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and node.value is not None
        and isinstance(node.target, ast.Attribute)
        and node.target.attr == "problem"
    ]
    return [parts for parts in said + problems if parts]


@pytest.mark.parametrize(("heading", "sentences"), [("Warnings", warnings_said), ("Not ready", reasons_said)])
def test_the_readme_knows_each_sentence_and_no_other(heading: str, sentences: Callable[[], list[list[str]]]) -> None:
    phrases = {phrase for row in README.table(heading) for phrase in quoted(row["symptom"])}
    said = sentences()
    assert len(said) >= 8  # the search still finds them
    unknown = [parts for parts in said if not any(phrase in part for phrase in phrases for part in parts)]
    assert not unknown, f"not in the README: {unknown}"
    unsaid = {phrase for phrase in phrases if not any(phrase in part for parts in said for part in parts)}
    assert not unsaid, f"the code does not say: {unsaid}"


def test_the_readme_has_a_row_for_each_alert() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus-alerts.yml").read_text())["groups"]
    rules = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert {name for row in README.table("Alerts") for name in code(row["symptom"])} == rules


@pytest.mark.parametrize(
    "heading",
    ["States", "Not ready", "Warnings", "Alerts", "Dead letters, differences, and what else may be seen"],
)
def test_each_symptom_has_a_cause_and_an_action(heading: str) -> None:
    rows = README.table(heading)
    assert all(row["symptom"] and row["cause"] and row["action"] for row in rows)
    assert len({row["symptom"] for row in rows}) == len(rows)


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


def test_the_readme_has_exactly_the_commands_and_options_that_there_are() -> None:
    told: dict[str, set[str]] = {}
    for row in README.table("Commands"):
        for command in code(row["command"]):
            told[command] = set(re.findall(r"--[a-z-]+", row["options"]))
    assert told == command_lines()
    assert "`dynamirror --version`" in README.section("Commands")


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_command_that_does_not_exist(document: Document) -> None:
    known = command_lines() | {"dynamirror": {"--version", "--help"}}
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


def test_the_readme_has_exactly_the_exit_codes_that_there_are() -> None:
    assert {int(row["exit code"]) for row in README.table("Exit codes")} == exit_codes()


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
