"""The settings: every name and default of the contract, and every problem at once."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from service.configuration.environment import ENV_FILE
from service.configuration.settings import (
    LogFormat,
    OnGap,
    Settings,
    StartFrom,
    WriteMode,
    load_settings,
)
from service.configuration.transform import load_transform
from service.errors import ConfigurationError

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/master-table"

# Each row of the contract's table: the name without its prefix, the default, a value that is given, how it is read.
CONTRACT = [
    ("PIPELINE", None, "mine", "mine"),
    ("CONTROL_TABLE", "dynamirror-control", "other-control", "other-control"),
    ("SOURCE_REGION", None, "eu-west-1", "eu-west-1"),
    ("REPLICA_REGION", None, "eu-west-1", "eu-west-1"),
    ("SOURCE_ENDPOINT_URL", None, "http://localhost:8000", "http://localhost:8000"),
    ("REPLICA_ENDPOINT_URL", None, "https://example.org", "https://example.org"),
    ("STREAMS_ENDPOINT_URL", None, "http://localhost:8001", "http://localhost:8001"),
    ("SOURCE_ROLE_ARN", None, "arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/reader"),
    ("REPLICA_ROLE_ARN", None, "arn:aws:iam::123456789012:role/a/writer", "arn:aws:iam::123456789012:role/a/writer"),
    ("SOURCE_PROFILE", None, "reader", "reader"),
    ("REPLICA_PROFILE", None, "writer", "writer"),
    ("START_AT", StartFrom.SNAPSHOT, "Trim_Horizon", StartFrom.TRIM_HORIZON),
    ("CREATE_REPLICA", False, "true", True),
    ("WRITERS", 16, "32", 32),
    ("QUEUE_MAX_RECORDS", 10_000, "5", 5),
    ("QUEUE_MAX_BYTES", 67_108_864, "1024", 1024),
    ("WRITE_MODE", WriteMode.AUTO, "strict", WriteMode.STRICT),
    ("MAX_WRITES_PER_SECOND", 0, "12.5", 12.5),
    ("POLL_INTERVAL_SECONDS", 0.25, "2", 2.0),
    ("CHECKPOINT_INTERVAL_SECONDS", 1, "0.5", 0.5),
    ("LEASE_SECONDS", 10, "30", 30.0),
    ("SHUTDOWN_TIMEOUT_SECONDS", 20, "0", 0.0),
    ("MAX_ATTEMPTS", 10, "3", 3),
    ("STAMP_ATTRIBUTE", "timestamp", "", ""),
    ("SEQUENCE_ATTRIBUTE", "dynamirror_sequence", "", ""),
    ("INCLUDE_ATTRIBUTES", (), "a, b,,c ", ("a", "b", "c")),
    ("EXCLUDE_ATTRIBUTES", (), "secret", ("secret",)),
    ("ON_GAP", OnGap.FAIL, "snapshot", OnGap.SNAPSHOT),
    ("SKIP_TTL_DELETES", False, "1", True),
    ("TRANSFORM", None, "tests.unit.configuration.transforms:renamed", "tests.unit.configuration.transforms:renamed"),
    ("VERIFY_ITEMS_PER_SECOND", 0, "100", 100.0),
    ("ADMIN_HOST", "127.0.0.1", "localhost", "localhost"),
    ("ADMIN_PORT", 8080, "0", 0),
    ("LOG_RECORDS", False, "true", True),
    ("LOG_FORMAT", None, "JSON", LogFormat.JSON),
    ("LOG_LEVEL", "INFO", "debug", "DEBUG"),
]  # fmt: skip


def problems(**given: str) -> list[str]:
    """What is wrong with these settings, given without their prefix, beside two good tables."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(TABLES | {f"DYNAMIRROR_{name}": value for name, value in given.items()})
    return str(caught.value).splitlines()


@pytest.mark.parametrize(("name", "default", "given", "read"), CONTRACT, ids=[row[0] for row in CONTRACT])
def test_each_setting_has_the_contracts_default_and_can_be_given(
    name: str, default: object, given: str, read: object
) -> None:
    assert getattr(load_settings(TABLES), name.lower()) == default
    assert getattr(load_settings(TABLES | {f"DYNAMIRROR_{name}": given}), name.lower()) == read


def test_there_is_no_setting_that_the_contract_does_not_name() -> None:
    named = {row[0].lower() for row in CONTRACT} | {"source_table", "replica_table", "admin_token", "read_token"}

    assert set(Settings.model_fields) == named


@pytest.mark.parametrize("name", ["ADMIN_TOKEN", "READ_TOKEN"])
def test_tokens_are_kept_out_of_sight(name: str) -> None:
    settings = load_settings(TABLES | {f"DYNAMIRROR_{name}": "sesame"})

    assert getattr(settings, name.lower()).get_secret_value() == "sesame"
    assert "sesame" not in repr(settings)
    assert getattr(load_settings(TABLES | {f"DYNAMIRROR_{name}": ""}), name.lower()) is None


def test_both_tables_are_required() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({})

    assert str(caught.value).splitlines() == [
        "DYNAMIRROR_SOURCE_TABLE: required, but not set",
        "DYNAMIRROR_REPLICA_TABLE: required, but not set",
    ]


def test_the_pipelines_name_is_made_of_both_tables_names() -> None:
    assert load_settings(TABLES).pipeline_name == "master-table--replica-table"
    assert load_settings(TABLES | {"DYNAMIRROR_SOURCE_TABLE": ARN}).pipeline_name == "master-table--replica-table"
    assert load_settings(TABLES | {"DYNAMIRROR_PIPELINE": "mine"}).pipeline_name == "mine"


def test_the_metadata_attributes_are_those_that_are_on() -> None:
    assert load_settings(TABLES).metadata_attributes == {"timestamp", "dynamirror_sequence"}
    assert load_settings(TABLES | {"DYNAMIRROR_STAMP_ATTRIBUTE": ""}).metadata_attributes == {"dynamirror_sequence"}


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(TABLES).writers = 3  # type: ignore[misc]  # this is what must fail


def test_an_unknown_name_is_an_error_that_names_the_likely_one() -> None:
    assert problems(SOURCE_TABEL="x") == [
        "DYNAMIRROR_SOURCE_TABEL: unknown setting (did you mean DYNAMIRROR_SOURCE_TABLE?)"
    ]


def test_names_of_others_are_left_alone() -> None:
    assert load_settings(TABLES | {"AWS_REGION": "eu-west-1", "PATH": "/bin"}).source_table == "master-table"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE_TABLE", "ab"),
        ("SOURCE_TABLE", "no spaces"),
        ("SOURCE_TABLE", "arn:aws:s3:::bucket"),
        ("CONTROL_TABLE", "!"),
        ("PIPELINE", "no spaces"),
        ("SOURCE_ENDPOINT_URL", "localhost:8000"),
        ("SOURCE_ROLE_ARN", "reader"),
        ("START_AT", "yesterday"),
        ("CREATE_REPLICA", "perhaps"),
        ("WRITERS", "0"),
        ("WRITERS", "many"),
        ("QUEUE_MAX_RECORDS", "0"),
        ("QUEUE_MAX_BYTES", "-1"),
        ("WRITE_MODE", "fast"),
        ("MAX_WRITES_PER_SECOND", "-1"),
        ("POLL_INTERVAL_SECONDS", "0"),
        ("CHECKPOINT_INTERVAL_SECONDS", "0"),
        ("LEASE_SECONDS", "0.5"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "-1"),
        ("MAX_ATTEMPTS", "0"),
        ("ON_GAP", "ignore"),
        ("TRANSFORM", "no_function"),
        ("TRANSFORM", "no.such.module:function"),
        ("TRANSFORM", "tests.unit.configuration.transforms:no_such_function"),
        ("TRANSFORM", "tests.unit.configuration.transforms:NUMBER"),
        ("VERIFY_ITEMS_PER_SECOND", "-1"),
        ("ADMIN_PORT", "65536"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_one_line_that_names_its_setting(name: str, value: str) -> None:
    found = problems(**{name: value})

    assert len(found) == 1
    assert found[0].startswith(f"DYNAMIRROR_{name}: ")


def test_every_problem_is_reported_at_once() -> None:
    found = problems(
        SOURCE_TABLE="!", WRITERS="0", ON_GAP="ignore", NO_SUCH="1", ADMIN_HOST="0.0.0.0", TRANSFORM="nothing"
    )

    names = [re.match(r"DYNAMIRROR_(\w+): ", line)[1] for line in found]  # type: ignore[index]  # each line has it
    assert sorted(names) == ["ADMIN_HOST", "NO_SUCH", "ON_GAP", "SOURCE_TABLE", "TRANSFORM", "WRITERS"]


def test_a_problem_never_shows_a_secret() -> None:
    found = problems(ADMIN_TOKEN="sesame", WRITERS="0")

    assert "sesame" not in "\n".join(found)


def test_the_replica_may_not_be_the_source_itself() -> None:
    assert problems(REPLICA_TABLE="master-table") == [
        "DYNAMIRROR_REPLICA_TABLE: the replica is the source itself; name another table"
    ]
    assert problems(SOURCE_TABLE=ARN, REPLICA_TABLE=ARN, REPLICA_REGION="eu-central-1") == [
        "DYNAMIRROR_REPLICA_TABLE: the replica is the source itself; name another table"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLICA_REGION", "eu-west-1"),
        ("REPLICA_ENDPOINT_URL", "http://localhost:8000"),
        ("REPLICA_ROLE_ARN", "arn:aws:iam::123456789012:role/writer"),
        ("REPLICA_PROFILE", "writer"),
    ],
)
def test_a_table_of_the_same_name_elsewhere_is_another_table(name: str, value: str) -> None:
    elsewhere = TABLES | {"DYNAMIRROR_REPLICA_TABLE": "master-table", f"DYNAMIRROR_{name}": value}
    assert load_settings(elsewhere).replica_table == "master-table"


def test_a_region_must_be_the_one_of_the_tables_arn() -> None:
    assert problems(SOURCE_TABLE=ARN, SOURCE_REGION="us-east-1") == [
        "DYNAMIRROR_SOURCE_REGION: us-east-1 is not the region of DYNAMIRROR_SOURCE_TABLE (eu-central-1)"
    ]


def test_stamp_and_sequence_need_different_attributes() -> None:
    assert problems(STAMP_ATTRIBUTE="same", SEQUENCE_ATTRIBUTE="same") == [
        "DYNAMIRROR_SEQUENCE_ATTRIBUTE: must not be the same as DYNAMIRROR_STAMP_ATTRIBUTE"
    ]
    assert load_settings(TABLES | {"DYNAMIRROR_STAMP_ATTRIBUTE": "", "DYNAMIRROR_SEQUENCE_ATTRIBUTE": ""})


def test_an_attribute_can_not_be_included_and_excluded() -> None:
    assert problems(INCLUDE_ATTRIBUTES="a,b", EXCLUDE_ATTRIBUTES="b") == [
        "DYNAMIRROR_EXCLUDE_ATTRIBUTES: also included: b"
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org"])
def test_the_api_listens_beyond_loopback_only_with_a_token(host: str) -> None:
    assert problems(ADMIN_HOST=host) == [
        f"DYNAMIRROR_ADMIN_HOST: {host} is not loopback; set DYNAMIRROR_ADMIN_TOKEN to listen there"
    ]
    with_token = {"DYNAMIRROR_ADMIN_HOST": host, "DYNAMIRROR_ADMIN_TOKEN": "sesame"}
    assert load_settings(TABLES | with_token).admin_host == host


@pytest.mark.parametrize("name", ["ADMIN_TOKEN", "READ_TOKEN"])
def test_a_token_is_what_a_header_can_carry(name: str) -> None:
    settings = load_settings(TABLES | {f"DYNAMIRROR_{name}": " sesame\n"})  # as a file of one line gives it
    token = settings.admin_token or settings.read_token
    assert token is not None
    assert token.get_secret_value() == "sesame"
    for bad in ("open sesame", "sésame", "se\tsame"):
        (problem,) = problems(**{name: bad})
        assert problem.startswith(f"DYNAMIRROR_{name}: expected visible ASCII characters without spaces")
        assert bad not in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load_settings(TABLES | {"DYNAMIRROR_ADMIN_HOST": host}).admin_host == host


def test_a_transform_is_the_named_function() -> None:
    assert load_transform("tests.unit.configuration.transforms:renamed")({"a": {"S": "1"}}) == {"b": {"S": "1"}}


class Folder:
    """A working directory with a `.env` file, and an environment without any setting."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        for name in os.environ:
            if name.upper().startswith("DYNAMIRROR_"):
                monkeypatch.delenv(name)

    def file(self, text: str) -> None:
        (self._path / ENV_FILE).write_text(text)

    def module(self, name: str, text: str) -> None:
        (self._path / f"{name}.py").write_text(text)

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def test_a_transform_may_lie_in_the_working_directory_beside_the_env_file(folder: Folder) -> None:
    """The installed command does not look there by itself, `python -m service` does."""
    folder.module("a_transform_of_mine", "def renamed(item):\n    return {'c': item['a']}\n")

    assert load_transform("a_transform_of_mine:renamed")({"a": {"S": "1"}}) == {"c": {"S": "1"}}


@pytest.mark.parametrize("text", ["def half(", "raise RuntimeError('a secret')", "import no_such_thing"])
def test_a_transform_whose_module_is_broken_is_a_problem_of_the_settings(folder: Folder, text: str) -> None:
    name = f"a_broken_one_{len(text)}"
    folder.module(name, text)

    (problem,) = problems(TRANSFORM=f"{name}:half")
    assert problem.startswith(f"DYNAMIRROR_TRANSFORM: the module {name!r} can't be imported: ")
    assert "secret" not in problem  # what the user's code says of its own may be anything


def test_settings_come_from_the_env_file_of_the_working_directory(folder: Folder) -> None:
    folder.file("# both\nDYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE='other-table'\nOTHER=1\n")

    settings = load_settings()
    assert settings.source_table == "from-file"
    assert settings.replica_table == "other-table"


def test_the_environment_wins_over_the_env_file(folder: Folder) -> None:
    folder.file("DYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE=other-table\n")
    folder.set("DYNAMIRROR_SOURCE_TABLE", "from-environment")

    assert load_settings().source_table == "from-environment"


def test_an_unknown_name_in_the_env_file_is_an_error_too(folder: Folder) -> None:
    folder.file("DYNAMIRROR_SOURCE_TABLE=from-file\nDYNAMIRROR_REPLICA_TABLE=other-table\nDYNAMIRROR_WRITTERS=1\n")

    with pytest.raises(ConfigurationError, match="DYNAMIRROR_WRITTERS: unknown setting"):
        load_settings()


def test_a_given_environment_is_all_that_is_read(folder: Folder) -> None:
    folder.file("DYNAMIRROR_WRITERS=3\n")
    folder.set("DYNAMIRROR_MAX_ATTEMPTS", "3")

    settings = load_settings(TABLES)
    assert (settings.writers, settings.max_attempts) == (16, 10)
