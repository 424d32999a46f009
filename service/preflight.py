"""What must be true of both tables before anything is read: pure checks, each with one clear line."""

from __future__ import annotations

from service.errors import ConfigurationError, HaltError
from service.model import TableDescription

WARN_OF_CLOCK_SECONDS = 30.0
"""A signature's time may be five minutes off (IAM User Guide, "Create a signed AWS API request"): well before that."""


def check_tables(source: TableDescription, replica: TableDescription, *, is_one_endpoint: bool) -> None:
    """Raises ConfigurationError or HaltError. `is_one_endpoint`: both tables are reached at the same address."""
    if is_one_endpoint and source.arn == replica.arn and source.region == replica.region:
        raise ConfigurationError(f"DYNAMIRROR_REPLICA_TABLE: {replica.name} is the source itself; name another table")
    if source.keys != replica.keys:
        raise HaltError(
            f"the key schemas differ: {source.name} has {source.key_text}, {replica.name} has {replica.key_text}; "
            "create the replica anew with the source's keys (where it is missing, DYNAMIRROR_CREATE_REPLICA=true does)"
        )


def check_sequence_attribute(source: TableDescription, attribute: str) -> None:
    """Raises ConfigurationError when it would take the place of a key. A stamp gives way to a key by itself."""
    if attribute in {key.name for key in source.keys}:
        raise ConfigurationError(
            f"DYNAMIRROR_SEQUENCE_ATTRIBUTE: {attribute!r} is a key of {source.name}; name another attribute"
        )


def check_stream(source: TableDescription) -> None:
    if source.stream_arn is None:
        raise HaltError(
            f"the table {source.name} has no stream; switch it on: aws dynamodb update-table "
            f"--table-name {source.name} --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
        )
