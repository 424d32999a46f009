"""`docs/admin-api.md` has every call, body, field and problem of the admin API, and no other."""

from __future__ import annotations

import http
import json
import re
from functools import cache
from typing import Any

import pytest

from api.problems import TYPES, Problem
from service.configuration.fleet_conflicts import CALLS
from service.operations.documents.status import Status
from tests.fakes.api import FakeApi
from tests.support.markdown import README, ROOT, Document, code, docs, documents

OF_A_NAME = "/pipelines/{name}"
OF_THE_PROCESS = {"GET /pipelines", "POST /reload"}


@cache
def paths() -> dict[str, Any]:
    found: dict[str, Any] = FakeApi().app.openapi()["paths"]
    return found


def calls() -> set[str]:
    """Every call of the admin API, as the OpenAPI document lists them: `GET /status`."""
    return {f"{method.upper()} {path}" for path, operations in paths().items() for method in operations}


def test_the_calls_are_exactly_those_that_there_are() -> None:
    told = {call for row in docs("admin-api").table("Calls") for call in code(row["call"])}
    told |= {call for row in docs("admin-api").table("Several pipelines") for call in code(row["call"])}
    assert told == {call for call in calls() if OF_A_NAME not in call}


def test_each_call_of_a_pipeline_is_there_by_the_pipeline_s_name_too() -> None:
    named = {call.replace(OF_A_NAME, "") for call in calls() if OF_A_NAME in call}
    assert named == {call for call in calls() if OF_A_NAME not in call} - OF_THE_PROCESS


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.path.name)
def test_no_document_names_a_call_that_does_not_exist(document: Document) -> None:
    patterns = [re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(call)) for call in calls()]
    for call in re.findall(r"`((?:GET|POST|DELETE|PUT) /[^`\s?]*)", document.prose()):
        assert any(re.fullmatch(pattern, call) for pattern in patterns) or call == "DELETE /dead-letters", call


def test_the_problems_are_exactly_those_that_there_are() -> None:
    assert {int(row["status"]): code(row["problem"])[0] for row in docs("admin-api").table("Problems")} == TYPES


def json_blocks(tag: str) -> list[str]:
    """The texts of a tag in the admin API's document."""
    return [block.text for block in docs("admin-api").blocks() if block.language == "json" and block.tag == tag]


BODIES = [
    (block.tag, line) for block in docs("admin-api").blocks() if " /" in block.tag for line in block.text.splitlines()
]


@pytest.mark.parametrize(("call", "body"), BODIES)
async def test_a_body_is_taken_by_its_call(call: str, body: str) -> None:
    method, path = call.split()
    answer = await FakeApi().call(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.is_success, answer.text


def test_each_call_that_takes_a_body_has_an_example() -> None:
    """A pause and a resume take an empty one."""
    asked = {
        f"{method.upper()} {path}" for path, each in paths().items() for method in each if "requestBody" in each[method]
    }
    asked = {call for call in asked if OF_A_NAME not in call}
    assert {call for call, _ in BODIES} == asked - {"POST /pause", "POST /resume", "POST /snapshot", "POST /reload"}


def test_the_status_document_has_exactly_the_fields_that_there_are() -> None:
    (text,) = json_blocks("status")
    shown = Status.model_validate_json(text).model_dump(mode="json")
    assert fields(json.loads(text)) == fields(shown)


def fields(document: Any) -> Any:
    """The names of a JSON document without its values."""
    if isinstance(document, dict):
        return {name: fields(value) for name, value in document.items()}
    return [fields(value) for value in document] if isinstance(document, list) else None


def test_the_problem_is_one_that_the_api_could_answer() -> None:
    (text,) = json_blocks("problem")
    shown = Problem.model_validate_json(text)
    assert shown.type == f"urn:dynamirror:problem:{TYPES[shown.status]}"
    assert shown.title == http.HTTPStatus(shown.status).phrase


def test_each_json_block_is_one_of_these() -> None:
    for document in (README, *(Document(path) for path in sorted((ROOT / "docs").glob("*.md")))):
        tags = {block.tag for block in document.blocks() if block.language == "json"}
        assert tags <= ({"status", "problem"} | {call for call, _ in BODIES}), document.path.name
        assert not tags or document.path.name == "admin-api.md"


def test_the_words_that_a_pipelines_name_may_not_go_on_with_are_the_calls_own() -> None:
    words = {path.removeprefix(f"{OF_A_NAME}/").split("/")[0] for path in paths() if path.startswith(OF_A_NAME)}
    assert words - {""} == CALLS
