"""One side of a pipeline: where its table is, and whose credentials ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.dynamodb_json.table_names import table_account, table_name

SideName = Literal["source", "replica"]


@dataclass(frozen=True, slots=True)
class TableIdentity:
    """Two of the same are one table, as far as settings can tell; the same name in two accounts is two tables."""

    endpoint_url: str | None
    region: str | None
    account: str | None
    """The account's number; or the profile that leads to it, or None for the credentials that the SDK finds."""
    name: str

    def may_be(self, other: TableIdentity) -> bool:
        """False where the two are surely different tables."""
        return (
            (self.name, self.endpoint_url) == (other.name, other.endpoint_url)
            and (self.region == other.region or not (self.region and other.region))
            and not self._is_another_account(other)
        )

    def _is_another_account(self, other: TableIdentity) -> bool:
        """Two numbers, or two profiles: a profile may lead to any account's number."""
        if self.account is None or other.account is None or self.account == other.account:
            return False
        return self.account.isdigit() == other.account.isdigit()

    def __str__(self) -> str:
        return " ".join([self.name, *(f"({part})" for part in (self.region, self.account) if part)])


@dataclass(frozen=True, slots=True)
class Access:
    """Whose credentials ask, and in which region."""

    region: str | None = None
    """None: the profile's, or the one that the SDK finds."""
    profile: str | None = None
    """None: the credentials that the SDK finds."""
    role_arn: str | None = None
    """Assumed by these credentials."""


@dataclass(frozen=True, slots=True)
class Side:
    table: str
    """Its name or its ARN."""
    endpoint_url: str | None
    access: Access

    @property
    def identity(self) -> TableIdentity:
        return self.identity_of(self.table)

    def identity_of(self, table: str) -> TableIdentity:
        """Of another table that the same credentials ask for in the same place; by its name or ARN."""
        role_arn = self.access.role_arn
        account = table_account(table) or (role_arn.split(":")[4] if role_arn else self.access.profile)
        return TableIdentity(self.endpoint_url, self.access.region, account, table_name(table))
