"""The file of many pipelines: layers, and every problem at once with the place where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.configuration.fleet_file import load_fleet
from service.errors import ConfigurationError
from tests.support.fleet_files import TWO, Load, Problems

FILE = """
admin_port = 9000

[defaults]
source_region = "us-west-2"
replica_region = "eu-central-1"
create_replica = true
writers = 4

[pipelines.orders]
source_table = "orders"
replica_table = "orders-replica"

[pipelines."eu:customers"]
source_table = "customers"
replica_table = "customers-replica"
replica_region = "eu-west-1"
writers = 8
"""


def test_a_pipeline_has_its_own_values_then_the_defaults(load: Load) -> None:
    file = load(FILE)

    assert list(file.pipelines) == ["orders", "eu:customers"]
    orders, customers = file.pipelines.values()
    assert (orders.pipeline_name, customers.pipeline_name) == ("orders", "eu:customers")
    assert (orders.writers, customers.writers) == (4, 8)
    assert (orders.replica_region, customers.replica_region) == ("eu-central-1", "eu-west-1")
    assert orders.create_replica
    assert customers.create_replica
    assert orders.max_attempts == 10


def test_the_environment_is_weaker_than_the_file(load: Load) -> None:
    file = load(FILE, WRITERS="2", MAX_ATTEMPTS="3", ADMIN_PORT="1", LOG_LEVEL="debug")

    assert [(each.writers, each.max_attempts) for each in file.pipelines.values()] == [(4, 3), (8, 3)]
    assert (file.process.admin_port, file.process.log_level) == (9000, "DEBUG")


def test_every_pipelines_settings_hold_those_of_the_process(load: Load) -> None:
    file = load(FILE, ADMIN_TOKEN="sesame")

    assert [each.process for each in file.pipelines.values()] == [file.process] * 2
    assert file.process.admin_token is not None
    assert "sesame" not in repr(file)


def test_settings_of_the_process_may_stand_among_the_defaults(load: Load) -> None:
    assert load(TWO + "[defaults]\nadmin_port = 9001\n").process.admin_port == 9001
    assert load("admin_port = 9001\n" + TWO + "[defaults]\nadmin_port = 9001\n").process.admin_port == 9001


def test_settings_of_the_process_that_are_given_twice_must_be_the_same(problems: Problems) -> None:
    assert problems("admin_port = 9000\n" + TWO + "[defaults]\nadmin_port = 9001\n") == [
        "fleet.toml, line 6, defaults.admin_port: has another value at the top of the file; give it once"
    ]


def test_a_tables_arn_names_its_region_whatever_the_defaults_are(load: Load) -> None:
    arn = "arn:aws:dynamodb:ap-south-1:123456789012:table/the-source"
    text = f'[defaults]\nsource_region = "us-west-2"\n[pipelines.a]\nsource_table = "{arn}"\nreplica_table = "aaa"\n'
    (settings,) = load(text).pipelines.values()

    assert settings.side("source").access.region == "ap-south-1"


def test_lists_and_texts_are_read_as_in_the_environment(load: Load) -> None:
    file = load(TWO + 'include_attributes = ["a", "b"]\nexclude_attributes = "c, d"\nstamp_attribute = ""\n')

    (settings,) = file.pipelines.values()
    assert (settings.include_attributes, settings.exclude_attributes) == (("a", "b"), ("c", "d"))
    assert settings.stamp_attribute == ""


def test_a_blank_value_takes_a_default_away(load: Load) -> None:
    file = load('[defaults]\nsource_profile = "reader"\n' + TWO + 'source_profile = ""\n')

    assert file.pipelines["a"].source_profile is None


def test_every_problem_is_told_at_once_with_its_place(problems: Problems) -> None:
    text = """\
writers = 3
log_level = "LOUD"

[defaults]
wirters = 3
source_table = "aaa"
on_gap = "ignore"

[pipelines.orders]
source_table = "!"
replica_table = "orders-replica"
admin_token = "sesame"
pipeline = "another"
log_format = "json"
max_attempts = true

[pipelines.customers]
replica_table = "customers-replica"
lag = 3

[discover]
source_tabels = ["prod-*"]
"""
    found = problems(text, SOURCE_TABLE="aaa", PIPELINE="mine", LEASE_SECONDS="long", WIRTERS="1")

    assert sorted(found) == sorted([
        "DYNAMIRROR_LEASE_SECONDS: Input should be a valid number, unable to parse string as a number",
        "DYNAMIRROR_PIPELINE: is for one pipeline; unset it beside a file of pipelines",
        "DYNAMIRROR_SOURCE_TABLE: is for one pipeline; unset it beside a file of pipelines",
        "DYNAMIRROR_WIRTERS: unknown setting (did you mean DYNAMIRROR_WRITERS?)",
        "fleet.toml, line 1, writers: belongs to a pipeline: put it into [pipelines.NAME], or for all of them into "
        "[defaults]",
        "fleet.toml, line 2, log_level: Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
        "fleet.toml, line 5, defaults.wirters: unknown setting (did you mean writers?)",
        "fleet.toml, line 6, defaults.source_table: belongs to one pipeline: put it into [pipelines.NAME]",
        "fleet.toml, line 7, defaults.on_gap: Input should be 'fail' or 'snapshot'",
        "fleet.toml, line 10, pipelines.orders.source_table: expected a table name (3 to 255 letters, digits, '_', "
        "'.', '-') or a table's ARN",
        "fleet.toml, line 12, pipelines.orders.admin_token: secrets come from the environment: set "
        "DYNAMIRROR_ADMIN_TOKEN",
        "fleet.toml, line 13, pipelines.orders.pipeline: the name of its table is the pipeline's name: "
        "[pipelines.NAME]",
        "fleet.toml, line 14, pipelines.orders.log_format: belongs to the process: put it before the first table of "
        "the file",
        "fleet.toml, line 15, pipelines.orders.max_attempts: expected a number",
        "fleet.toml, line 17, pipelines.customers: source_table: required, but not set",
        "fleet.toml, line 19, pipelines.customers.lag: unknown setting",
        "fleet.toml, line 22, discover.source_tabels: unknown setting",
        "fleet.toml, line 21, discover.replica_table: required, but not set",
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["admin_token", "read_token"])
@pytest.mark.parametrize("table", ["", "[defaults]\n", TWO])
def test_a_secret_in_the_file_is_refused_and_not_shown(problems: Problems, name: str, table: str) -> None:
    found = problems(f'{table}{name} = "sesame"\n' + TWO.replace("[pipelines.a]", "[pipelines.b]"))

    assert any(f"set DYNAMIRROR_{name.upper()}" in line for line in found)
    assert "sesame" not in "\n".join(found)


def test_what_is_wrong_for_all_is_told_once(problems: Problems) -> None:
    found = problems(FILE.replace("writers = 4", "writers = 0"), ADMIN_HOST="0.0.0.0")

    assert found == [
        "fleet.toml, line 8, defaults.writers: Input should be greater than or equal to 1",
        "DYNAMIRROR_ADMIN_HOST: 0.0.0.0 is not loopback; set DYNAMIRROR_ADMIN_TOKEN to listen there",
    ]


def test_what_does_not_fit_together_is_told_in_the_files_names(problems: Problems) -> None:
    text = '[defaults]\nstamp_attribute = "x"\n' + TWO + 'sequence_attribute = "x"\n[pipelines.b]\n'
    text += 'source_table = "bbb"\nreplica_table = "bbb"\n'

    assert problems(text) == [
        "fleet.toml, line 6, pipelines.a.sequence_attribute: must not be the same as stamp_attribute",
        "fleet.toml, line 9, pipelines.b.replica_table: the replica is the source itself; name another table",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "fleet.toml: names no pipeline; add a table [pipelines.NAME], or [discover]"),
        ("[pipelines]\n", "fleet.toml: names no pipeline; add a table [pipelines.NAME], or [discover]"),
        ("[pipelines\n", "fleet.toml: Expected ']' at the end of a table declaration (at line 1, column 11)"),
        (TWO + TWO, "fleet.toml: Cannot declare ('pipelines', 'a') twice (at line 4, column 13)"),
        ("defaults = 3\n" + TWO, "fleet.toml, line 1, defaults: expected a table, such as [defaults]"),
        ("[[pipelines]]\n", "fleet.toml, line 1, pipelines: expected a table, such as [pipelines]"),
        ('[pipelines]\na = "b"\n', "fleet.toml, line 2, pipelines.a: expected a table, such as [pipelines.orders]"),
    ],
)
def test_a_file_of_another_form_is_one_clear_problem(problems: Problems, text: str, problem: str) -> None:
    assert problem in problems(text)


@pytest.mark.parametrize("name", ['""', '"no spaces"', '"é"', '".."', '"a/./b"', '"a/.."'])
def test_a_pipelines_name_is_one_that_the_control_table_takes(problems: Problems, name: str) -> None:
    (problem,) = problems(TWO.replace(".a]", f".{name}]"))

    assert problem.startswith("fleet.toml, line 1, pipelines.")
    assert "pipeline: expected 1 to 255 letters" in problem


@pytest.mark.parametrize("name", ["a.b", "...", "a/..b", "a//b", "/a/", ".a"])
def test_a_pipelines_name_may_have_dots_and_slashes(load: Load, name: str) -> None:
    assert name in load(TWO.replace(".a]", f'."{name}"]')).pipelines


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_fleet(tmp_path / "fleet.toml", {})
    (tmp_path / "fleet.toml").write_bytes(b"\n[pipelines.\xff]\n")
    with pytest.raises(ConfigurationError, match="not in UTF-8 at byte 13, in line 2"):
        load_fleet(tmp_path / "fleet.toml", {})
