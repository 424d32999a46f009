"""What a file says of tables that are to be discovered."""

from __future__ import annotations

import pytest

from service.configuration.settings import Settings
from tests.support.fleet_files import Load, Problems

DISCOVER = '[discover]\nsource_tables = ["prod-*"]\nreplica_table = "{source_table}-replica"\n'


def test_what_to_discover_is_patterns_tags_and_the_name_of_the_replica(load: Load) -> None:
    discover = load(DISCOVER + 'source_tags = {replicate = "yes"}\n').discover

    assert discover is not None
    assert discover.source_tables == ("prod-*",)
    assert discover.source_tags == {"replicate": "yes"}
    assert discover.replica_of("prod-orders") == "prod-orders-replica"


def test_a_discovered_table_has_the_defaults(load: Load) -> None:
    settings: Settings = load('[defaults]\nsource_region = "us-west-2"\nwriters = 3\n' + DISCOVER).discovered("prod-a")

    assert settings.pipeline_name == "prod-a--prod-a-replica"
    assert (settings.writers, settings.source_region) == (3, "us-west-2")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[discover]\n", "fleet.toml, line 1, discover.replica_table: required, but not set"),
        (
            DISCOVER.replace("{source_table}-", "the-"),
            "fleet.toml, line 3, discover.replica_table: expected {source_table} in it, or all tables would have one "
            "replica",
        ),
        (
            DISCOVER.replace("{source_table}-replica", "{source_table}"),
            "fleet.toml, line 1, discover: replica_table: the replica is the source itself; name another table",
        ),
        (
            DISCOVER.replace("}-replica", "} of {region}"),
            "fleet.toml, line 1, discover: replica_table: expected a table name (3 to 255 letters, digits, '_', '.', "
            "'-') or a table's ARN",
        ),
        (
            DISCOVER.replace('source_tables = ["prod-*"]', ""),
            "fleet.toml, line 1, discover: give source_tables, source_tags or both",
        ),
        (
            DISCOVER + "source_tags = {replicate = true}\n",
            "fleet.toml, line 4, discover.source_tags: Input should be a valid string",
        ),
    ],
)
def test_what_is_wrong_with_discover_is_told(problems: Problems, text: str, problem: str) -> None:
    assert problems(text) == [problem]
