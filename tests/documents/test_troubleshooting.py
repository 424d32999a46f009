"""`docs/troubleshooting.md` explains every state, warning, reason, alert and error of the code, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest
import yaml

from service.aws.error_codes import _DENIED, _PERMISSION
from service.operations.documents.jobs import JobState
from service.operations.documents.status import PipelineState, Role, ShardState
from tests.support.markdown import ROOT, code, docs, quoted
from tests.support.syntax_trees import is_call, trees


def test_what_to_do_is_said_for_each_state() -> None:
    named = [word for row in docs("troubleshooting").table("States") for word in code(row["symptom"])]
    assert set(named) == {state.value for state in PipelineState}


def test_the_states_of_shards_jobs_and_processes_are_named() -> None:
    paragraphs = docs("troubleshooting").section("States").split("\n\n")
    (paragraph,) = [part for part in paragraphs if part.startswith("A shard's state")]
    words = {word for word in code(paragraph) if re.fullmatch(r"[a-z_]+", word)} - {"error"}
    assert words == {state.value for states in (ShardState, JobState, Role) for state in states}


# --- sentences that the code says to people: the parts of them that never change


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


def warnings_said() -> list[list[str]]:
    events = [node for tree in trees() for node in ast.walk(tree) if is_call(node, "Warned")]
    said = [fixed_parts(node.args[1]) for node in events if isinstance(node, ast.Call)]
    for function in functions("_warnings", "warnings"):
        for node in ast.walk(function):
            if is_call(node, "append") and isinstance(node, ast.Call):
                said.append(fixed_parts(node.args[0]))
    return [*said, [_PERMISSION], [_DENIED]]


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
def test_each_sentence_is_explained_and_no_other(heading: str, sentences: Callable[[], list[list[str]]]) -> None:
    phrases = {phrase for row in docs("troubleshooting").table(heading) for phrase in quoted(row["symptom"])}
    said = sentences()
    assert len(said) >= 8  # the search still finds them
    unknown = [parts for parts in said if not any(phrase in part for phrase in phrases for part in parts)]
    assert not unknown, f"not in docs/troubleshooting.md: {unknown}"
    unsaid = {phrase for phrase in phrases if not any(phrase in part for parts in said for part in parts)}
    assert not unsaid, f"the code does not say: {unsaid}"


ERRORS = ["Gaps", "Tables", "The control table", "Access and AWS", "Commands and the demo", "The Lambda function"]
"""Headings below "Errors"."""


def errors_said() -> list[list[str]]:
    """What ends a start, a command or a flow, and needs a person. Settings name themselves."""
    kinds = ("HaltError", "SchemaError", "GapError", "ReplicaTakenError")
    ends = [node for tree in trees() for node in ast.walk(tree) if any(is_call(node, kind) for kind in kinds)]
    said = [fixed_parts(node.args[0]) for node in ends if isinstance(node, ast.Call) and node.args]
    return [parts for parts in said if parts]


def test_each_error_that_needs_a_person_is_explained_and_no_other() -> None:
    rows = [row for heading in ERRORS for row in docs("troubleshooting").table(heading)]
    phrases = [phrase for row in rows for phrase in quoted(row["symptom"])]
    assert len(phrases) == len(set(phrases))
    said = errors_said()
    assert len(said) >= 40  # the search still finds them
    unknown = [parts for parts in said if not any(phrase in part for phrase in phrases for part in parts)]
    assert not unknown, f"not in docs/troubleshooting.md: {unknown}"
    texts = [
        part for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.expr) for part in texts_of(node)
    ]
    unsaid = {phrase for phrase in phrases if not any(phrase in text for text in texts)}
    assert not unsaid, f"the code does not say: {unsaid}"


def texts_of(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_there_is_a_row_for_each_alert() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus-alerts.yml").read_text())["groups"]
    rules = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert {name for row in docs("troubleshooting").table("Alerts") for name in code(row["symptom"])} == rules


@pytest.mark.parametrize(
    "heading",
    ["States", "Not ready", "Warnings", "Alerts", "Dead letters, differences and other symptoms", *ERRORS],
)
def test_each_symptom_has_a_cause_and_an_action(heading: str) -> None:
    rows = docs("troubleshooting").table(heading)
    assert all(row["symptom"] and row["cause"] and row["action"] for row in rows)
    assert len({row["symptom"] for row in rows}) == len(rows)
