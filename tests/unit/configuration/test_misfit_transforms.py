"""A transform that never makes an item is found where it is named, before a record becomes a dead letter by it."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from service.configuration.transform import load_transform
from tests.support import given_settings
from tests.support.fleet_files import Problems

Item = dict[str, Any]
HERE = __name__


async def slow(item: Item) -> Item:
    return item


async def slow_one_by_one(item: Item) -> AsyncIterator[Item]:
    yield item


def one_by_one(item: Item) -> Iterator[Item]:
    yield item


def of_a_function(event: Item, context: object) -> Item:
    return event


def no_item() -> Item:
    return {}


class Slow:
    async def __call__(self, item: Item) -> Item:
        return item

    async def method(self, item: Item) -> Item:
        return item


class Quick:
    def __call__(self, item: Item) -> Item:
        return item

    def method(self, item: Item) -> Item:
        return item


slow_object = Slow()
slow_method = slow_object.method
half_slow = functools.partial(slow)
half_slow_object = functools.partial(slow_object)
half_slow_method = functools.partial(slow_method)
quick_object = Quick()
quick_method = quick_object.method
context_given = functools.partial(of_a_function, context=None)
copied = dict


@functools.wraps(slow)
def awaited(item: Item) -> Item:
    return item


@functools.wraps(of_a_function)
def with_a_context(item: Item) -> Item:
    return of_a_function(item, None)


@functools.wraps(quick_method)
def with_any(*given: Any, **named: Any) -> Item:
    return quick_method(*given, **named)


ASYNC = ("slow", "slow_one_by_one", "slow_object", "slow_method", "half_slow", "half_slow_object", "half_slow_method")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "is async") for name in ASYNC),
        ("one_by_one", "yields"),
        ("Slow", "is a class"),
        ("Quick", "is a class"),
        ("of_a_function", "can't be called with an item: missing a required argument: 'context'"),
        ("no_item", "can't be called with an item"),
    ],
)
def test_a_transform_that_never_makes_an_item_is_one_clear_problem(name: str, why: str) -> None:
    (problem,) = given_settings.problems(TRANSFORM=f"{HERE}:{name}")

    assert problem.startswith(f"DYNAMIRROR_TRANSFORM: '{HERE}:{name}' {why}")
    assert problem.endswith("; expected (item: dict) -> dict or None")


@pytest.mark.parametrize(
    "name",
    ["quick_object", "quick_method", "context_given", "copied", "awaited", "with_a_context", "with_any"],
)
def test_whatever_takes_an_item_and_returns_one_is_a_transform(name: str) -> None:
    assert load_transform(f"{HERE}:{name}")({"a": {"S": "1"}}) == {"a": {"S": "1"}}


def test_a_file_of_pipelines_tells_it_where_it_stands(problems: Problems) -> None:
    (problem,) = problems(f"""
[pipelines.orders]
source_table = "orders"
replica_table = "copies"
transform = "{HERE}:slow"
""")

    where = f"fleet.toml, line 5, pipelines.orders.transform: '{HERE}:slow'"
    assert problem == f"{where} is async, and nobody awaits it; expected (item: dict) -> dict or None"
