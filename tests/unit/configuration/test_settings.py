"""The settings: every name and default of the contract, and every problem at once."""

from __future__ import annotations

import re

import pytest

from service.configuration.settings import LogFormat, OnGap, Settings, StartFrom, WriteMode, load_settings
from service.errors import ConfigurationError
from tests.support.given_settings import TABLES, problems

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


def test_an_unknown_name_that_is_like_no_other_is_told_without_a_guess() -> None:
    assert problems(FOO="x") == ["DYNAMIRROR_FOO: unknown setting"]


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
        ("MAX_WRITES_PER_SECOND", "inf"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "-1"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "inf"),
        ("MAX_ATTEMPTS", "0"),
        ("ON_GAP", "ignore"),
        ("TRANSFORM", "no_function"),
        ("TRANSFORM", "no.such.module:function"),
        ("TRANSFORM", "tests.unit.configuration.transforms:no_such_function"),
        ("TRANSFORM", "tests.unit.configuration.transforms:NUMBER"),
        ("VERIFY_ITEMS_PER_SECOND", "-1"),
        ("VERIFY_ITEMS_PER_SECOND", "inf"),
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
