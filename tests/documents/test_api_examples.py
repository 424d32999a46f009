"""The OpenAPI document shows an example of everything that is sent and answered, and each is as its schema says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.fakes.api import FakeApi

NAMES = {
    *("list_pipelines", "reload", "get_dashboard", "get_health", "get_readiness", "get_status", "get_history"),
    *("get_settings", "get_metrics", "pause", "resume", "replicate_item"),
    *("start_replay", "list_replays", "get_replay", "cancel_replay"),
    *("start_snapshot", "list_snapshots", "get_snapshot", "cancel_snapshot"),
    *("start_verification", "list_verifications", "get_verification", "cancel_verification"),
    *("list_redrives", "get_redrive", "cancel_redrive"),
    *("list_dead_letters", "get_dead_letter", "redrive_dead_letters", "discard_dead_letter"),
}
"""What a generated client's functions are called: who has one relies on it."""


@cache
def document() -> dict[str, Any]:
    """Made when a test asks for it: each of the test processes imports all tests."""
    made: dict[str, Any] = FakeApi(admin_token="a-secret").app.openapi()
    return made


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = document()["paths"].items()
    return [(method, path, operation) for path, methods in paths for method, operation in methods.items()]


def of_a_pipeline(name: str) -> str:
    verb, *rest = name.split("_")
    return "_".join([verb, "pipeline", *rest])


def test_the_names_for_clients_are_unique_and_stay_as_they_are() -> None:
    named = {of_a_pipeline(name) for name in NAMES - {"list_pipelines", "reload"}}
    assert {"pause_pipeline", "get_pipeline_status", "list_pipeline_dead_letters"} <= named
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert set(ids) == NAMES | named
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in ids)


def given(content: dict[str, Any]) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    return [each["value"] for each in content["examples"].values()]


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    """What it is of, its schema, and what is shown. Fails where nothing is."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        shown = schema["examples"] if "examples" in schema else parameter.get("examples") or [parameter["example"]]
        yield parameter["name"], schema, shown
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", content["schema"], given(content)
    for status, answer in operation["responses"].items():
        assert status == "204" or answer.get("content"), status
        for content in answer.get("content", {}).values():
            yield status, content.get("schema", {}), given(content)


def test_each_example_is_as_its_schema_says() -> None:
    for method, path, operation in operations():
        for what, schema, shown in examples(operation):
            assert shown, (method, path, what)
            for example in shown:
                Draft202012Validator({**schema, "components": document()["components"]}).validate(example)


async def test_what_is_answered_has_the_fields_of_the_example() -> None:
    for method, path, operation in operations():
        if method != "get" or "{" in path:
            continue
        answer = await FakeApi().call("GET", path)
        (content,) = operation["responses"]["200"]["content"].values()
        if answer.headers["content-type"] == "application/json":
            assert answer.json().keys() == content["example"].keys(), path
        else:
            assert isinstance(content["example"], str), path


async def test_each_body_that_is_shown_is_taken() -> None:
    for method, path, operation in operations():
        if "requestBody" not in operation or "{" in path or path == "/reload":
            continue
        for body in given(operation["requestBody"]["content"]["application/json"]):
            answer = await FakeApi().call(method.upper(), path, json=body)
            assert answer.is_success, (path, answer.text)
