"""The wire to a control table, in memory: DynamoDB's rules, its prices, and places where a request goes wrong.

items = FakeItems()
store = DynamoControlStore(items, "control", "pipeline")
items.units                 # write units since the start, by the Developer Guide's "DynamoDB write capacity"
items.on_request = gate     # (operation, request) -> Fate, asked before each request
items.land_late()           # requests whose fate was LATE take effect now

It knows the expressions that the store of the progress makes, and no others.
"""

from __future__ import annotations

import asyncio
import enum
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from service.aws.control.attributes import item_size
from service.aws.error_codes import Call, ConditionFailedError, fault, lost
from service.aws.http.wire import Wire
from service.errors import DynamirrorError
from service.model import Image

PAGE_BYTES = 1_000_000
"""API reference, Query: 1 MB of items a page."""
Item = dict[str, Any]
T = TypeVar("T")


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


class FakeItems(Wire):
    """One table; each request gives other tasks their turn first."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        """By the range key: one pipeline's."""
        self._sizes: dict[str, int] = {}
        self.units = self.read_units = 0
        self.requests = 0
        self.on_request: Callable[[str, Mapping[str, Any]], Fate] = lambda operation, request: Fate.ANSWERED
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
            except DynamirrorError:  # its condition does not hold any more: nobody hears of it
                continue

    async def ask(self, call: Call, body: bytes, read: Callable[[bytes], T]) -> T:
        await asyncio.sleep(0)
        self.requests += 1
        request = json.loads(body)
        match self.on_request(call.operation, request):
            case Fate.THROTTLED:
                raise _fault(call, "ThrottlingException")
            case Fate.CRASH_BEFORE:
                raise CrashError
            case Fate.LATE:
                self._late.append(lambda: self._act(call, request))
                raise lost(call, "no answer in time", "AnswerLost")
            case Fate.LOST:
                self._act(call, request)
                raise lost(call, "no answer in time", "AnswerLost")
            case Fate.CRASH_AFTER:
                self._act(call, request)
                raise CrashError
            case Fate.ANSWERED:
                return read(json.dumps(self._act(call, request)).encode())

    def _act(self, call: Call, request: dict[str, Any]) -> dict[str, Any]:
        match call.operation:
            case "GetItem":
                return self._get(request)
            case "PutItem":
                return self._put(call, request)
            case "UpdateItem":
                return self._update(call, request)
            case "DeleteItem":
                return self._delete(call, request)
        assert call.operation == "Query"
        return self._query(request)

    def _get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found = self.items.get(request["Key"]["item"]["S"])
        self.read_units += -(-self._sizes.get(request["Key"]["item"]["S"], 0) // 4096) or 1
        return {} if found is None else {"Item": found}

    def _put(self, call: Call, request: Mapping[str, Any]) -> dict[str, Any]:
        item = request["Item"]
        self._write(call, item["item"]["S"], request, item)
        return {}

    def _update(self, call: Call, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["Key"]["item"]["S"]
        values = request["ExpressionAttributeValues"]
        assigned = re.findall(r"#(\w+) = (:\w+)", request["UpdateExpression"].removeprefix("SET "))
        item = {**request["Key"], **self.items.get(name, {}), **{name: values[value] for name, value in assigned}}
        self._write(call, name, request, item)
        return {"Attributes": item}

    def _delete(self, call: Call, request: Mapping[str, Any]) -> dict[str, Any]:
        self._write(call, request["Key"]["item"]["S"], request, None)
        return {}

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

    def _write(self, call: Call, name: str, request: Mapping[str, Any], item: Item | None) -> Item | None:
        former = self.items.get(name)
        size = item_size(item or {})
        self.units += -(-max(self._sizes.get(name, 0), size) // 1024) or 1
        if size > 400 * 1024:
            raise _fault(call, "ValidationException")
        if not _holds(request, former or {}):
            raise ConditionFailedError(Image(json.dumps(former).encode()) if former else None)
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


def _fault(call: Call, code: str) -> DynamirrorError:
    return fault(call, code, "", 400)
