"""`GET /settings`: what is in effect and where it comes from, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.configuration.fleet_file import load_fleet
from service.configuration.settings import Settings, load_settings
from service.operations.documents.settings import EffectiveSettings

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}


def shown(settings: Settings) -> dict[str, tuple[Any, str]]:
    items = EffectiveSettings.of(settings).items
    assert {item.name for item in items} == set(Settings.model_fields)
    return {item.name: (item.value, item.origin) for item in items}


def test_each_setting_is_told_with_where_it_comes_from(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / ".env").write_text("DYNAMIRROR_WRITERS=8\nDYNAMIRROR_LEASE_SECONDS=5\n")
    monkeypatch.chdir(tmp_path)
    for name, value in (TABLES | {"DYNAMIRROR_LEASE_SECONDS": "7"}).items():
        monkeypatch.setenv(name, value)
    told = shown(load_settings())
    assert told["source_table"] == ("master-table", "the environment")
    assert told["writers"] == (8, ".env")
    assert told["lease_seconds"] == (7.0, "the environment")
    assert told["poll_interval_seconds"] == (0.25, "default")
    assert told["start_at"] == ("snapshot", "default")


def test_of_a_secret_it_tells_only_that_it_is_set() -> None:
    settings = load_settings(TABLES | {"DYNAMIRROR_ADMIN_TOKEN": "hush-hush"})
    told = shown(settings)
    assert told["admin_token"] == ("set", "the environment")
    assert told["read_token"] == (None, "default")
    assert "hush" not in EffectiveSettings.of(settings).model_dump_json()


@pytest.mark.parametrize("password", ["hush", "h@ush"])
def test_a_password_in_an_address_is_left_out(password: str) -> None:
    settings = load_settings(TABLES | {"DYNAMIRROR_SOURCE_ENDPOINT_URL": f"http://user:{password}@localhost:8000"})
    assert shown(settings)["source_endpoint_url"][0] == "http://…@localhost:8000"


def test_in_a_file_it_names_the_table_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(
        'admin_port = 9000\n[defaults]\nwriters = 4\nlease_seconds = 5\n[pipelines.orders]\nsource_table = "orders"\n'
        'replica_table = "orders-replica"\nlease_seconds = 3\n'
        '[discover]\nsource_tables = ["prod-*"]\nreplica_table = "{source_table}-replica"\n'
    )
    file = load_fleet(path, {"DYNAMIRROR_START_AT": "latest"})
    told = shown(file.pipelines["orders"])
    assert told["admin_port"] == (9000, "fleet.toml")
    assert told["writers"] == (4, "[defaults] of fleet.toml")
    assert told["lease_seconds"] == (3.0, "[pipelines.orders] of fleet.toml")
    assert told["source_table"] == ("orders", "[pipelines.orders] of fleet.toml")
    assert told["start_at"] == ("latest", "the environment")
    found = shown(file.discovered("prod-a"))
    assert found["replica_table"] == ("prod-a-replica", "[discover] of fleet.toml")
    assert found["writers"] == (4, "[defaults] of fleet.toml")


def test_the_same_values_from_another_place_are_the_same_settings() -> None:
    by_default = load_settings(TABLES)
    given = load_settings(TABLES | {"DYNAMIRROR_WRITERS": "16"})
    assert by_default == given
    assert by_default != load_settings(TABLES | {"DYNAMIRROR_WRITERS": "17"})
