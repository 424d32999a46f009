"""A pipeline's name that would be the path of another one's call in the admin API is refused."""

from __future__ import annotations

import pytest

from service.configuration.fleet_conflicts import conflicts
from service.configuration.settings import Settings, load_settings


def pipelines(*names: str) -> dict[str, Settings]:
    return {
        name: load_settings({"DYNAMIRROR_SOURCE_TABLE": f"source{number}", "DYNAMIRROR_REPLICA_TABLE": f"copy{number}"})
        for number, name in enumerate(names)
    }


@pytest.mark.parametrize("name", ["orders/status", "orders/replays/eu", "orders/dead-letters"])
def test_a_name_that_is_another_ones_call_is_refused_with_what_to_do(name: str) -> None:
    why = f"/pipelines/{name} would be a call of orders too; give one of the two another name"
    assert conflicts(pipelines("orders", name)) == [(name, why)]
    assert conflicts(pipelines(name, "orders")) == [(name, why)]


def test_names_with_slashes_that_mean_one_thing_are_taken() -> None:
    assert conflicts(pipelines("orders", "orders/eu", "users/status", "status", "orders-status/status")) == []
