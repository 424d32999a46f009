"""Tables are named by name or by ARN; this tells the two apart."""

from __future__ import annotations

import re

# botocore, dynamodb 2012-08-10: shape TableName (3 to 255 of these characters); TableArn also takes an ARN.
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_TABLE_ARN = re.compile(
    r"arn:[a-z-]+:dynamodb:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):table/(?P<name>[a-zA-Z0-9_.-]{3,255})"
)


def is_table(name_or_arn: str) -> bool:
    return bool(_TABLE_NAME.fullmatch(name_or_arn) or _TABLE_ARN.fullmatch(name_or_arn))


def table_name(name_or_arn: str) -> str:
    """The bare name of a table that was given by name or by ARN."""
    arn = _TABLE_ARN.fullmatch(name_or_arn)
    return arn["name"] if arn else name_or_arn


def table_region(name_or_arn: str) -> str | None:
    """The region that a table's ARN names; None for a bare name."""
    arn = _TABLE_ARN.fullmatch(name_or_arn)
    return arn["region"] if arn else None


def table_account(name_or_arn: str) -> str | None:
    """The account that a table's ARN names; None for a bare name."""
    arn = _TABLE_ARN.fullmatch(name_or_arn)
    return arn["account"] if arn else None
