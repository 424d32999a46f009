"""A value that is wrong only beside a default, or beside what stands in for a bad one, is told like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.configuration.fleet_file import load_fleet
from service.configuration.settings import load_settings
from service.errors import ConfigurationError

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}


@pytest.mark.parametrize(
    ("setting", "of_other"), [("STAMP_ATTRIBUTE", "dynamirror_sequence"), ("SEQUENCE_ATTRIBUTE", "timestamp")]
)
def test_an_attributes_name_that_is_the_default_of_the_other_is_refused(setting: str, of_other: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(TABLES | {f"DYNAMIRROR_{setting}": of_other})
    assert str(refused.value) == "DYNAMIRROR_SEQUENCE_ATTRIBUTE: must not be the same as DYNAMIRROR_STAMP_ATTRIBUTE"


def test_it_is_refused_in_a_file_of_pipelines_too(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(
        '[pipelines.a]\nsource_table = "orders"\nreplica_table = "copy"\nstamp_attribute = "dynamirror_sequence"\n'
    )
    with pytest.raises(ConfigurationError, match="sequence_attribute: must not be the same as stamp_attribute"):
        load_fleet(file, {})


@pytest.mark.parametrize("table", ["a-source", "a-replica"])  # those that stand in for bad ones
def test_a_table_replicated_to_itself_is_refused_whatever_its_name(table: str) -> None:
    with pytest.raises(ConfigurationError, match="the replica is the source itself"):
        load_settings({"DYNAMIRROR_SOURCE_TABLE": table, "DYNAMIRROR_REPLICA_TABLE": table})


@pytest.mark.parametrize(
    "url",
    ["http://localhost:99999", "http://localhost:eighty", "http://:8000", "http://[::1", "http://user@", "http://a b"],
)
def test_a_url_that_no_client_can_use_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DYNAMIRROR_SOURCE_ENDPOINT_URL: expected a URL such as"):
        load_settings(TABLES | {"DYNAMIRROR_SOURCE_ENDPOINT_URL": url})


def test_what_surrounds_a_url_is_left_out() -> None:
    given = {"DYNAMIRROR_SOURCE_ENDPOINT_URL": " http://localhost:8000\n"}
    assert load_settings(TABLES | given).source_endpoint_url == "http://localhost:8000"
