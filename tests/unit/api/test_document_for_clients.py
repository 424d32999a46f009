"""What the OpenAPI document says for the generators of clients: names of types, fields that are there, wide counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.fakes.api import FakeApi


@cache
def document() -> dict[str, Any]:
    """Made when a test asks for it: each of the test processes imports all tests."""
    made: dict[str, Any] = FakeApi().app.openapi()
    return made


def schemas() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document()["components"]["schemas"]
    return found


def operations() -> list[dict[str, Any]]:
    return [operation for methods in document()["paths"].values() for operation in methods.values()]


def named(part: object) -> set[str]:
    """The schemas that it needs, those of others too."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        new = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(waiting.pop()))) - found
        found |= new
        waiting += [schemas()[name] for name in new]
    return found


def answered() -> Iterator[tuple[str, dict[str, Any]]]:
    good = [answer for each in operations() for status, answer in each["responses"].items() if status < "400"]
    return ((name, schemas()[name]) for name in named(good) if "properties" in schemas()[name])


def test_every_type_is_used() -> None:
    assert named(operations()) == schemas().keys()


def test_a_body_that_is_one_of_several_has_a_name() -> None:
    bodies = [
        each["requestBody"]["content"]["application/json"]["schema"] for each in operations() if "requestBody" in each
    ]
    assert {body["title"] for body in bodies if "oneOf" in body} == {"ReplayRequest", "RedriveRequest"}


def test_no_field_of_an_answer_is_optional_since_all_are_always_there() -> None:
    optional = {
        f"{name}.{field}" for name, each in answered() for field in each["properties"].keys() - each["required"]
    }
    assert optional == set()


def test_a_count_is_not_taken_for_one_of_32_bits() -> None:
    fields = [field for _, each in answered() for field in each["properties"].values()]
    counts = [each for field in fields for each in field.get("anyOf", [field]) if each.get("type") == "integer"]
    assert counts
    assert {count.get("format") for count in counts} == {"int64"}


def test_the_calls_of_a_pipeline_by_its_name_are_kept_apart_from_the_others() -> None:
    tags = {tag for path, methods in document()["paths"].items() for each in methods.values() for tag in each["tags"]}
    assert {"flow", "pipeline flow", "dead letters", "pipeline dead letters", "pipelines"} <= tags
    for path, methods in document()["paths"].items():
        for each in methods.values():
            assert all(tag.startswith("pipeline ") == path.startswith("/pipelines/{name}") for tag in each["tags"]), (
                path
            )
