"""The SDK's client of a control table, in memory: DynamoDB's rules, its prices, and places where a request goes wrong.

client = FakeItems()
store = DynamoControlStore(client, "control", "pipeline")
client.units                # write units since the start, by the Developer Guide's "DynamoDB write capacity"
client.on_request = gate    # (method, request) -> Fate, asked before each request
client.land_late()          # requests whose fate was LATE take effect now

It knows the expressions that the store of the progress makes, and no others.
"""

from __future__ import annotations

import asyncio
import enum
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from service.aws.control.item_size import item_size

PAGE_BYTES = 1_000_000
"""API reference, Query: 1 MB of items a page."""
_OPERATIONS = {"get_item": "GetItem", "put_item": "PutItem", "update_item": "UpdateItem", "delete_item": "DeleteItem",
               "query": "Query"}  # fmt: skip
Item = dict[str, Any]


class Fate(enum.Enum):
    """What becomes of a request."""

    ANSWERED = enum.auto()
    THROTTLED = enum.auto()
    LOST = enum.auto()
    """It takes effect, and no answer comes."""
    LATE = enum.auto()
    """No answer comes, and it takes effect when nobody counts on it any more."""
    CRASH_BEFORE = enum.auto()
    CRASH_AFTER = enum.auto()


class CrashError(Exception):
    """The process is gone."""


class FakeItems:
    """One table; each request gives other tasks their turn first."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        """By the range key: one pipeline's."""
        self._sizes: dict[str, int] = {}
        self.units = self.read_units = 0
        self.requests = 0
        self.on_request: Callable[[str, Mapping[str, Any]], Fate] = lambda method, request: Fate.ANSWERED
        self.meta = SimpleNamespace(method_to_api_mapping=_OPERATIONS)
        self._late: list[Callable[[], object]] = []

    def preset(self, item: Item) -> None:
        """As if it had been there before."""
        self.items[item["item"]["S"]] = item
        self._sizes[item["item"]["S"]] = item_size(item)

    def land_late(self) -> None:
        late, self._late = self._late, []
        for effect in late:
            try:
                effect()
            except ClientError:  # its condition does not hold any more: nobody hears of it
                continue

    async def get_item(self, **request: Any) -> dict[str, Any]:
        return await self._request("get_item", request, self._get)

    async def put_item(self, **request: Any) -> dict[str, Any]:
        return await self._request("put_item", request, self._put)

    async def update_item(self, **request: Any) -> dict[str, Any]:
        return await self._request("update_item", request, self._update)

    async def delete_item(self, **request: Any) -> dict[str, Any]:
        return await self._request("delete_item", request, self._delete)

    async def query(self, **request: Any) -> dict[str, Any]:
        return await self._request("query", request, self._query)

    async def _request(
        self, method: str, request: dict[str, Any], act: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.requests += 1
        match self.on_request(method, request):
            case Fate.THROTTLED:
                raise _error(method, "ThrottlingException")
            case Fate.CRASH_BEFORE:
                raise CrashError
            case Fate.LATE:
                self._late.append(lambda: act(request))
                raise ReadTimeoutError(endpoint_url="control table")
            case Fate.LOST:
                act(request)
                raise ReadTimeoutError(endpoint_url="control table")
            case Fate.CRASH_AFTER:
                act(request)
                raise CrashError
            case Fate.ANSWERED:
                return act(request)

    def _get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found = self.items.get(request["Key"]["item"]["S"])
        self.read_units += -(-self._sizes.get(request["Key"]["item"]["S"], 0) // 4096) or 1
        return {} if found is None else {"Item": found}

    def _put(self, request: Mapping[str, Any]) -> dict[str, Any]:
        item = request["Item"]
        former = self._write("put_item", item["item"]["S"], request, item)
        return {"Attributes": former} if former and request.get("ReturnValues") == "ALL_OLD" else {}

    def _update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["Key"]["item"]["S"]
        values = request["ExpressionAttributeValues"]
        assigned = re.findall(r"#(\w+) = (:\w+)", request["UpdateExpression"].removeprefix("SET "))
        item = {**request["Key"], **self.items.get(name, {}), **{name: values[value] for name, value in assigned}}
        self._write("update_item", name, request, item)
        return {"Attributes": item}

    def _delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        former = self._write("delete_item", request["Key"]["item"]["S"], request, None)
        return {"Attributes": former} if former and request.get("ReturnValues") == "ALL_OLD" else {}

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        prefix = request["ExpressionAttributeValues"][":prefix"]["S"]
        after = request.get("ExclusiveStartKey", {}).get("item", {}).get("S", "")
        page: list[Item] = []
        size = 0
        for name in sorted(self.items):
            if name.startswith(prefix) and name > after:
                page.append(self.items[name])
                size += self._sizes[name]
                if size >= PAGE_BYTES:
                    break
        self.read_units += -(-size // 4096) or 1
        more = {"LastEvaluatedKey": {"item": page[-1]["item"]}} if size >= PAGE_BYTES else {}
        return {"Items": page, "Count": len(page), **more}

    def _write(self, method: str, name: str, request: Mapping[str, Any], item: Item | None) -> Item | None:
        former = self.items.get(name)
        size = item_size(item or {})
        self.units += -(-max(self._sizes.get(name, 0), size) // 1024) or 1
        if size > 400 * 1024:
            raise _error(method, "ValidationException")
        if not _holds(request, former or {}):
            error = _error(method, "ConditionalCheckFailedException")
            error.response["Item"] = former or {}  # type: ignore[typeddict-unknown-key]  # as the SDK gives it
            raise error
        self._sizes[name] = size
        if item is None:
            self.items.pop(name, None)
        else:
            self.items[name] = item
        return former


def _holds(request: Mapping[str, Any], item: Item) -> bool:
    """A comparison with what is not there never holds."""

    def is_so(name: str, operator: str, value: str) -> bool:
        if name not in item:
            return False
        ((kind, wanted),) = request["ExpressionAttributeValues"][value].items()
        assert kind == "N"
        held, wanted = float(item[name]["N"]), float(wanted)
        return {"=": held == wanted, "<": held < wanted, "<=": held <= wanted}[operator]

    expression = request.get("ConditionExpression", "True")
    expression = re.sub(r"attribute_not_exists\(#(\w+)\)", r"('\1' not in item)", expression)
    expression = re.sub(r"#(\w+) (=|<=|<) (:\w+)", r"is_so('\1', '\2', '\3')", expression)
    python = expression.replace("AND", "and").replace("OR", "or")
    return bool(eval(python, {"item": item, "is_so": is_so}))


def _error(method: str, code: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, _OPERATIONS[method])  # type: ignore[arg-type]  # as the SDK gives it
