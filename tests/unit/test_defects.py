"""Of an error that nobody foresaw, kind and place are told on every path, and its text on none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from service import lambda_handler
from service.aws.control.attributes import attribute, understood
from service.defects import told
from service.errors import HaltError
from tests.fakes.service import Service, until
from tests.fakes.world import World

SECRET = "a-value-of-an-item"


def fail(*_: object) -> NoReturn:
    raise ValueError(SECRET)


def test_an_error_of_a_library_is_placed_where_our_code_called_it() -> None:
    with pytest.raises(KeyError) as caught:
        attribute({}, SECRET, int)

    assert told(caught.value).startswith("KeyError at service/aws/control/attributes.py:")


def test_an_error_that_was_never_ours_has_its_file_alone() -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        fail()

    assert told(caught.value).startswith("ValueError at test_defects.py:")
    assert told(ValueError(SECRET)) == "ValueError"


def test_lambda_is_told_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runtime logs an error's text, and those of the errors behind it are not to be shown either."""
    monkeypatch.setattr(lambda_handler, "_function", SimpleNamespace(invoke=fail))
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 1000)

    with pytest.raises(RuntimeError) as caught:
        lambda_handler.handler({"Records": []}, context)
    assert str(caught.value).startswith("an unexpected error, which is a defect: ValueError at ")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_item_of_the_control_table_that_can_not_be_read_is_not_shown() -> None:
    with pytest.raises(HaltError) as caught, understood("orders", "lease"):
        attribute({"count": {"N": SECRET}}, "count", int)
    assert SECRET not in str(caught.value)

    with pytest.raises(HaltError, match="'count' is missing"), understood("orders", "lease"):
        attribute({}, "count", int)


class Failing:
    """A control table whose counts fail in a way that nobody foresaw: all but the first, while it stands by."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._counts = 0

    async def count_dead_letters(self) -> int:
        self._counts += 1
        if self._counts > 1:
            fail()
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_flow_that_fails_so_shows_no_text_in_its_status_nor_in_the_log() -> None:
    service = Service(World())
    service.adapters = replace(service.adapters, control=Failing(service.adapters.control))
    async with service:
        await until(lambda: service.pipeline.reason is not None)

        assert str(service.pipeline.reason).startswith("an unexpected error ended the flow: ValueError at service/")
        (warning,) = service.report.status().warnings
    assert SECRET not in str(service.pipeline.reason) + warning
