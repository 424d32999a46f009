"""Which discovered tables have a pipeline, and why the others have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.configuration.fleet_file import FleetFile, load_fleet
from service.configuration.fleet_plan import DiscoveredTable, FleetPlan, LeftOut, plan
from service.configuration.settings import load_settings

DISCOVER = '[discover]\nsource_tables = ["*"]\nreplica_table = "{source_table}-copy"\n'
ORDERS = '[pipelines.mine]\nsource_table = "orders"\nreplica_table = "the-orders"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def file(folder: Path, text: str) -> FleetFile:
    (folder / "fleet.toml").write_text(text)
    return load_fleet(folder / "fleet.toml", {})


def with_streams(*names: str) -> list[DiscoveredTable]:
    return [DiscoveredTable(name, has_stream=True) for name in names]


def test_without_discover_the_file_is_the_plan(folder: Path) -> None:
    found = file(folder, ORDERS)

    assert plan(found) == FleetPlan(found.process, found.pipelines)


def test_one_pipeline_by_the_environment_is_a_plan_with_one_entry() -> None:
    settings = load_settings({"DYNAMIRROR_SOURCE_TABLE": "orders", "DYNAMIRROR_REPLICA_TABLE": "copy"})

    assert FleetPlan.of(settings) == FleetPlan(settings.process, {"orders--copy": settings})


def test_each_discovered_table_has_a_pipeline_of_the_default_name(folder: Path) -> None:
    found = plan(file(folder, ORDERS + DISCOVER), with_streams("prod-b", "prod-a"))

    assert list(found.entries) == ["mine", "prod-a--prod-a-copy", "prod-b--prod-b-copy"]
    assert found.left_out == ()


def test_the_order_in_which_tables_are_discovered_does_not_count(folder: Path) -> None:
    found = file(folder, ORDERS + DISCOVER)

    assert plan(found, with_streams("x-1", "x-2")) == plan(found, with_streams("x-2", "x-1"))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("orders", "the pipeline mine replicates it"),
        ("the-orders", "it is the replica of the pipeline mine"),
        ("prod-a-copy", "it is the replica of the table prod-a"),
        ("prod-a-copy-copy", "it is the replica of the table prod-a-copy"),
        ("dynamirror-control", "it is the control table"),
        ("x" * 252, "replica_table: expected a table name (3 to 255 letters, digits, '_', '.', '-') or a table's ARN"),
    ],
)
def test_a_table_that_is_taken_is_left_out_with_the_reason(folder: Path, table: str, reason: str) -> None:
    found = plan(file(folder, ORDERS + DISCOVER), with_streams("prod-a", "prod-a-copy", table))

    assert LeftOut(table, reason) in found.left_out
    assert list(found.entries) == ["mine", "prod-a--prod-a-copy"]


def test_a_table_without_a_stream_is_left_out(folder: Path) -> None:
    found = plan(file(folder, DISCOVER), [DiscoveredTable("prod-a", has_stream=False)])

    assert found.entries == {}
    assert found.left_out == (LeftOut("prod-a", "it has no stream; enable one to have it replicated"),)


def test_the_copy_of_a_table_without_a_stream_is_no_source(folder: Path) -> None:
    """Else it would be one for as long as the table has none."""
    found = plan(file(folder, DISCOVER), [DiscoveredTable("prod-a", has_stream=False), *with_streams("prod-a-copy")])

    assert found.entries == {}


PROD = DISCOVER.replace('"*"', '"prod-*"')


@pytest.mark.parametrize("file_text", [DISCOVER, PROD])
def test_the_copy_of_a_table_that_is_gone_is_no_source(folder: Path, file_text: str) -> None:
    """Else it would be copied in its turn, until somebody makes the table again."""
    found = plan(file(folder, file_text), with_streams("prod-a-copy"))

    assert found.entries == {}
    assert found.left_out == (
        LeftOut(
            "prod-a-copy", "it is named as the replica of a table prod-a; if it is none, name it in [pipelines.NAME]"
        ),
    )


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (PROD.replace('"prod-*"', '"*-copy"'), "prod-a-copy"),  # prod-a would not be discovered
        (
            DISCOVER.replace("-copy", "") + '[defaults]\nsource_region = "eu-west-1"\nreplica_region = "us-west-2"\n',
            "a-1",
        ),
        ('[discover]\nsource_tags = {copy = "yes"}\nreplica_table = "{source_table}-copy"\n', "prod-a-copy"),
    ],
)
def test_a_table_that_is_only_called_like_a_copy_is_a_source(folder: Path, text: str, table: str) -> None:
    found = plan(file(folder, text), with_streams(table))

    assert [each.source_table for each in found.entries.values()] == [table]


def test_a_replica_that_another_pipeline_has_is_not_taken(folder: Path) -> None:
    text = ORDERS.replace("the-orders", "prod-a-copy") + DISCOVER
    found = plan(file(folder, text), with_streams("prod-a"))

    assert found.left_out == (
        LeftOut("prod-a", "its replica would be prod-a-copy, which is the one of the pipeline mine"),
    )


def test_a_name_that_another_pipeline_has_is_not_taken(folder: Path) -> None:
    text = ORDERS.replace("mine", "prod-a--prod-a-copy") + DISCOVER

    assert plan(file(folder, text), with_streams("prod-a")).left_out == (
        LeftOut("prod-a", "another pipeline is named prod-a--prod-a-copy"),
    )


@pytest.mark.parametrize(
    ("named", "is_covered"),
    [
        ('source_table = "arn:aws:dynamodb:us-west-2:111111111111:table/orders"', True),
        ('source_table = "orders"\nsource_profile = "another"', True),
        ('source_table = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"', False),
        ('source_table = "orders"\nsource_region = "eu-west-1"', False),
        ('source_table = "orders"\nsource_endpoint_url = "http://localhost:1"', False),
    ],
)
def test_a_table_that_may_be_the_one_of_a_pipeline_is_in_doubt_left_to_it(
    folder: Path, named: str, is_covered: bool
) -> None:
    text = '[defaults]\nsource_region = "us-west-2"\n[pipelines.mine]\nreplica_table = "the-orders"\n' + named + "\n"
    found = plan(file(folder, text + DISCOVER), with_streams("orders"))

    assert len(found.left_out) == (1 if is_covered else 0)


def test_a_profile_may_lead_to_the_account_of_an_arn(folder: Path) -> None:
    named = 'source_table = "arn:aws:dynamodb:us-west-2:111111111111:table/orders"\nreplica_table = "the-orders"\n'
    text = '[defaults]\nsource_region = "us-west-2"\nsource_profile = "reader"\n[pipelines.mine]\n' + named
    found = plan(file(folder, text + DISCOVER), with_streams("orders"))

    assert found.left_out == (LeftOut("orders", "the pipeline mine replicates it"),)


def test_replicas_of_another_region_may_have_the_sources_names(folder: Path) -> None:
    text = '[defaults]\nsource_region = "us-west-2"\nreplica_region = "eu-west-1"\n'
    found = plan(file(folder, text + DISCOVER.replace("}-copy", "}")), with_streams("orders", "customers"))

    assert list(found.entries) == ["customers--customers", "orders--orders"]


def test_tables_of_two_accounts_are_two_tables(folder: Path) -> None:
    roles = [f'source_role_arn = "arn:aws:iam::{number * 12}:role/reader"\n' for number in "12"]
    text = "[pipelines.mine]\n" + roles[0] + 'source_table = "orders"\nreplica_table = "the-orders"\n'
    found = plan(file(folder, "[defaults]\n" + roles[1] + text + DISCOVER), with_streams("orders"))

    assert list(found.entries) == ["mine", "orders--orders-copy"]
