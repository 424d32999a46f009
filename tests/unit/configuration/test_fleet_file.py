"""The file of many pipelines: layers, and every problem at once with the place where it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.configuration.fleet_file import FleetFile, load_fleet
from service.configuration.settings import Settings
from service.errors import ConfigurationError

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
TWO = '[pipelines.a]\nsource_table = "aaa"\nreplica_table = "aaa-copy"\n'

Load = Callable[..., FleetFile]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """From a text, and from an environment that is given by its names without the prefix."""
    monkeypatch.chdir(tmp_path)

    def loaded(text: str, **given: str) -> FleetFile:
        Path("fleet.toml").write_text(text)
        return load_fleet(Path("fleet.toml"), {f"DYNAMIRROR_{name}": value for name, value in given.items()})

    return loaded


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    def found(text: str, **given: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load(text, **given)
        return str(caught.value).splitlines()

    return found


Problems = Callable[..., list[str]]


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


@pytest.mark.parametrize("name", ['""', '"no spaces"', '"é"'])
def test_a_pipelines_name_is_one_that_the_control_table_takes(problems: Problems, name: str) -> None:
    (problem,) = problems(TWO.replace(".a]", f".{name}]"))

    assert problem.startswith("fleet.toml, line 1, pipelines.")
    assert "pipeline: expected 1 to 255 letters" in problem


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_fleet(tmp_path / "fleet.toml", {})
    (tmp_path / "fleet.toml").write_bytes(b"\n[pipelines.\xff]\n")
    with pytest.raises(ConfigurationError, match="not in UTF-8 at byte 13, in line 2"):
        load_fleet(tmp_path / "fleet.toml", {})


def pipeline(name: str, source: str, replica: str, **more: str) -> str:
    given = {"source_table": source, "replica_table": replica, **more}
    return "\n".join([f"[pipelines.{name}]", *(f'{key} = "{value}"' for key, value in given.items()), ""])


def test_two_pipelines_can_not_have_one_replica(problems: Problems) -> None:
    assert problems(pipeline("a", "aaa", "copy") + pipeline("b", "bbb", "copy")) == [
        "fleet.toml, line 4, pipelines.b: its replica copy is the one of a; a replica belongs to one pipeline"
    ]


def test_a_replica_of_the_same_name_elsewhere_is_another_one(load: Load) -> None:
    elsewhere = [
        {"replica_region": "eu-west-1"},
        {"replica_profile": "writer"},
        {"replica_role_arn": "arn:aws:iam::111111111111:role/writer"},
        {"replica_endpoint_url": "http://localhost:8000"},
    ]
    text = [pipeline(f"p{number}", f"aa{number}", "copy", **more) for number, more in enumerate([{}, *elsewhere])]

    assert len(load("".join(text)).pipelines) == 5


def test_a_copy_between_accounts_keeps_its_name(load: Load) -> None:
    load(pipeline("a", "orders", "arn:aws:dynamodb:us-west-2:111111111111:table/orders", source_region="us-west-2"))


def test_a_cycle_is_told_whatever_its_length(problems: Problems) -> None:
    tables = ["aaa", "bbb", "ccc", "aaa"]
    ring = [pipeline(f"from-{source}", source, replica) for source, replica in zip(tables, tables[1:], strict=False)]
    text = pipeline("into", "zzz", "yyy") + "".join(ring) + pipeline("out", "ccc", "out")

    assert problems(text) == [
        "fleet.toml, line 4, pipelines.from-aaa: from-bbb, from-ccc, from-aaa make a cycle: bbb → ccc → aaa → bbb"
    ]


def test_two_cycles_are_two_problems(problems: Problems) -> None:
    pairs = [("aaa", "bbb"), ("bbb", "aaa"), ("ccc", "ddd"), ("ddd", "ccc")]
    found = problems("".join(pipeline(f"p{number}", *pair) for number, pair in enumerate(pairs)))

    assert len(found) == 2


def test_a_chain_is_no_cycle(load: Load) -> None:
    load(pipeline("a", "aaa", "bbb") + pipeline("b", "bbb", "ccc") + pipeline("c", "aaa", "ddd"))


def test_a_stream_has_two_readers_at_most(problems: Problems, load: Load) -> None:
    names = ["copy-1", "copy-2", "copy-3", "copy-4"]
    load("".join(pipeline(name, "aaa", name) for name in names[:2]))

    assert problems("".join(pipeline(name, "aaa", name) for name in names)) == [
        "fleet.toml, line 7, pipelines.copy-3: copy-1 and copy-2 read the stream of aaa already; "
        "a stream has at most 2 readers"
    ]


def test_a_pipeline_with_another_fault_counts_among_the_others(problems: Problems) -> None:
    assert len(problems(pipeline("a", "aaa", "bbb", writers="0") + pipeline("b", "bbb", "aaa"))) == 2


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
