"""One pipeline's part of the control table: single items, read consistently and written conditionally.

Every method is one request, except `query`, which is one for each page. Errors of the SDK leave as service.errors,
except ItemDiffersError, whose meaning only the caller knows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from service.aws.calls import ask, call
from service.aws.control.attributes import Attributes, Value, text
from service.aws.error_codes import Call, ConditionFailedError

Answer = TypeVar("Answer")
Write = dict[str, Any]
"""One of the writes of a transaction."""


class ItemDiffersError(Exception):
    """A conditional write met another item than it expected: `found`, empty when there is none."""

    def __init__(self, found: Attributes) -> None:
        super().__init__("an item of the control table is not as a write expects it")
        self.found = found


class ControlTable:
    """Expressions are written with the attributes' own names (`#owner = :mine`): `#owner` always means `owner`."""

    def __init__(self, client: Any, name: str, pipeline: str) -> None:
        self._client = client
        self.name = name
        self.pipeline = pipeline

    def of(self, pipeline: str) -> ControlTable:
        """Another part of the same table."""
        return ControlTable(self._client, self.name, pipeline)

    async def get(self, item: str, *, attributes: tuple[str, ...] = ()) -> Attributes | None:
        """`attributes` picks some of the item's."""
        request: dict[str, Any] = {"Key": self._key(item), "ConsistentRead": True}
        if attributes:
            picked = ", ".join(f"#{name}" for name in attributes)
            request |= {"ProjectionExpression": picked, "ExpressionAttributeNames": _names_in(picked)}
        return await self._call("get_item", _member("Item"), **request)

    async def put(
        self,
        item: str,
        attributes: Attributes,
        *,
        only_if: str | None = None,
        values: Mapping[str, Value] | None = None,
        asks_former: bool = True,
    ) -> Attributes | None:
        """Replace the item and return what was there, if that is asked for. Raises ItemDiffersError."""
        request: dict[str, Any] = {"Item": {**self._key(item), **attributes}}
        if asks_former:
            request["ReturnValues"] = "ALL_OLD"
        return await self._call("put_item", _member("Attributes"), **request, **_conditional(only_if, values))

    async def update(
        self,
        item: str,
        change: str,
        values: Mapping[str, Value],
        *,
        only_if: str | None = None,
    ) -> Attributes:
        """Change some attributes and return the whole item as it is then. Raises ItemDiffersError."""
        return await self._call(
            "update_item",
            _changed,
            Key=self._key(item),
            UpdateExpression=change,
            ReturnValues="ALL_NEW",
            **_conditional(only_if, values, also_names_in=change),
        )

    async def delete(
        self, item: str, *, only_if: str | None = None, values: Mapping[str, Value] | None = None
    ) -> Attributes | None:
        """Delete the item and return what was there. Raises ItemDiffersError."""
        request = {"Key": self._key(item), "ReturnValues": "ALL_OLD"}
        return await self._call("delete_item", _member("Attributes"), **request, **_conditional(only_if, values))

    def put_of(
        self, item: str, attributes: Attributes, only_if: str | None = None, values: Mapping[str, Value] | None = None
    ) -> Write:
        """A part of `transact`."""
        return self._part("Put", {"Item": {**self._key(item), **attributes}}, only_if, values)

    def update_of(self, item: str, change: str, values: Mapping[str, Value], only_if: str | None = None) -> Write:
        """A part of `transact`."""
        return self._part("Update", {"Key": self._key(item), "UpdateExpression": change}, only_if, values)

    def delete_of(self, item: str, only_if: str | None = None, values: Mapping[str, Value] | None = None) -> Write:
        """A part of `transact`."""
        return self._part("Delete", {"Key": self._key(item)}, only_if, values)

    def _part(self, kind: str, what: dict[str, Any], only_if: str | None, values: Mapping[str, Value] | None) -> Write:
        conditional = _conditional(only_if, values, also_names_in=what.get("UpdateExpression", ""))
        conditional.pop("ReturnValuesOnConditionCheckFailure", None)
        return {kind: {"TableName": self.name, **what, **conditional}}

    async def transact(self, writes: Sequence[Write]) -> None:
        """All of these, or none; at most 100. Raises ItemDiffersError, which does not tell of which."""
        about = Call("TransactWriteItems", f"the control table {self.name}")
        try:
            await ask(self._client, "transact_write_items", about, lambda answer: None, TransactItems=list(writes))
        except ConditionFailedError as failed:
            raise ItemDiffersError({}) from failed

    async def query(
        self,
        prefix: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        is_newest_first: bool = False,
        attributes: tuple[str, ...] = (),
    ) -> AsyncGenerator[Attributes, None]:
        """The items whose name begins with the prefix, in the order of their names, page by page as they are taken.

        `limit` is a hint for the pages' size; `attributes` picks some of an item's attributes.
        """
        condition = "#pipeline = :pipeline AND begins_with(#item, :prefix)"
        projection = ", ".join(f"#{name}" for name in attributes)
        request: dict[str, Any] = {
            "ConsistentRead": True,
            "ScanIndexForward": not is_newest_first,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names_in(condition + projection),
            "ExpressionAttributeValues": {":pipeline": text(self.pipeline), ":prefix": text(prefix)},
        }
        if projection:
            request["ProjectionExpression"] = projection
        if limit is not None:
            request["Limit"] = limit
        if after is not None:
            request["ExclusiveStartKey"] = self._key(after)
        while True:
            items, start = await self._call("query", _page, **request)
            for found in items:
                yield found
            if not start:
                return
            request["ExclusiveStartKey"] = start

    def _key(self, item: str) -> dict[str, Value]:
        return {"pipeline": text(self.pipeline), "item": text(item)}

    async def _call(self, method: str, read: Callable[[dict[str, Any]], Answer], **request: Any) -> Answer:
        try:
            return await call(self._client, method, self.name, read, **request)
        except ConditionFailedError as failed:
            answer: Mapping[str, Any] = failed.__cause__.response if isinstance(failed.__cause__, ClientError) else {}
            raise ItemDiffersError(answer.get("Item", {})) from failed


def _member(name: str) -> Callable[[Mapping[str, Any]], Attributes | None]:
    """An item that the answer leaves out where there is none."""
    return lambda answer: answer.get(name)


def _changed(answer: Mapping[str, Any]) -> Attributes:
    attributes: Attributes = answer["Attributes"]
    return attributes


def _page(answer: Mapping[str, Any]) -> tuple[list[Attributes], Attributes | None]:
    """The items, and where the next page starts. Raises ValueError where some of them are not there."""
    items: list[Attributes] = answer["Items"]
    if answer["Count"] != len(items):
        raise ValueError("the page has not as many items as it says")
    return items, answer.get("LastEvaluatedKey")


def _conditional(only_if: str | None, values: Mapping[str, Value] | None, also_names_in: str = "") -> dict[str, Any]:
    request: dict[str, Any] = {}
    if only_if is not None:
        request["ConditionExpression"] = only_if
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    names = _names_in(also_names_in + " " + (only_if or ""))
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = dict(values)
    return request


def _names_in(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
