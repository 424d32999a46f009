"""The tables of one account and region: their names, their streams, their tags. Each call is one request."""

from __future__ import annotations

from typing import Any

from service.aws.calls import ask
from service.aws.error_codes import Call
from service.aws.http.wire import Wire
from service.aws.tables import found_table
from service.model import TableDescription


class DynamoTableList:
    """Implements fleet.discovery.TableList."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def names(self, after: str | None) -> tuple[list[str], str | None]:
        request = {} if after is None else {"ExclusiveStartTableName": after}
        about = Call("ListTables", f"the source tables in {self._wire.region}")
        return await ask(
            self._wire, about, lambda page: (list(page["TableNames"]), page.get("LastEvaluatedTableName")), **request
        )

    async def describe(self, name: str) -> TableDescription | None:
        return await found_table(self._wire, name, "source")

    async def tags(self, table: TableDescription, after: str | None) -> tuple[dict[str, str], str | None]:
        request = {} if after is None else {"NextToken": after}
        about = Call("ListTagsOfResource", f"the source table {table.name}")
        return await ask(self._wire, about, _tags, ResourceArn=table.arn, **request)


def _tags(answer: dict[str, Any]) -> tuple[dict[str, str], str | None]:
    return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}, answer.get("NextToken")
