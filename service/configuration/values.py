"""How a setting's value is read: the types of its field, which check the text and give it its form."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from service.configuration.hosts import bare
from service.dynamodb_json.table_names import is_table


def blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _blank_is_empty(value: object) -> object:
    return "" if blank_is_none(value) is None else value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _table(value: str) -> str:
    if not is_table(value):
        raise ValueError("expected a table name (3 to 255 letters, digits, '_', '.', '-') or a table's ARN")
    return value


def _like(pattern: str, expected: str) -> AfterValidator:
    def check(value: str | None) -> str | None:
        if value is not None and not re.match(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


def _url(value: str | None) -> str | None:
    if value is None:
        return None
    value = value.strip()
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none, or of brackets that are not closed
        is_usable = False
    if not is_usable or re.search(r"\s", value):
        raise ValueError("expected a URL such as http://localhost:8000")
    return value


def sendable(token: str) -> str:
    """Without what surrounds it, which would not come back in a header: a token from a file ends with its line.

    Raises ValueError for what no header can carry.
    """
    if not re.fullmatch(r"[!-~]+", token.strip()):
        raise ValueError("expected visible ASCII characters without spaces, as a header can carry them")
    return token.strip()


def _token(value: object) -> object:
    return sendable(value) if isinstance(value, str) else value


def upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


TableName = Annotated[str, AfterValidator(_table)]
OptionalText = Annotated[str | None, BeforeValidator(blank_is_none)]
Url = Annotated[OptionalText, AfterValidator(_url)]
RoleArn = Annotated[
    OptionalText,
    _like(r"arn:[a-z-]+:iam::\d{12}:role/.+\Z", "a role's ARN such as arn:aws:iam::123456789012:role/reader"),
]
Secret = Annotated[SecretStr | None, BeforeValidator(_token), BeforeValidator(blank_is_none)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
# botocore, dynamodb 2012-08-10: shape AttributeName (at most 65,535 characters); empty turns the attribute off.
AttributeName = Annotated[str, BeforeValidator(_blank_is_empty), Field(max_length=65535)]
Host = Annotated[str, AfterValidator(bare)]
