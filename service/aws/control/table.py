"""One pipeline's part of the control table: single items, read consistently and written conditionally.

Every method is one request, except `query`, which is one for each page. Each raises RetryableError and its kinds, and
HaltError for what the service refuses: never a ChangeError, since no change is at fault. And ItemDiffersError, whose
meaning only the caller knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from service.aws.control.attributes import Attributes, Plain, Value, all_stored
from service.aws.error_codes import Call, ConditionFailedError
from service.aws.http.wire import Wire

Answer = TypeVar("Answer")
_Item = dict[str, dict[str, Any]]
Write = dict[str, Any]
"""One of the writes of a transaction."""


class ItemDiffersError(Exception):
    """A conditional write met another item than it expected: `found`, empty when there is none."""

    def __init__(self, found: Attributes) -> None:
        super().__init__("an item of the control table is not as a write expects it")
        self.found = found


async def is_done(write: Awaitable[object]) -> bool:
    """False, and nothing is done, where it met another item than it expected."""
    try:
        await write
    except ItemDiffersError:
        return False
    return True


class _Answer(msgspec.Struct):
    """Of any of the requests (botocore, dynamodb 2012-08-10: the members of their outputs). Each may be left out."""

    Item: _Item | None = None
    Attributes: _Item | None = None
    Items: list[_Item] | None = None
    Count: int | None = None
    LastEvaluatedKey: _Item | None = None
    ConsumedCapacity: Any = None
    ItemCollectionMetrics: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ITEM = msgspec.json.Decoder(_Item)


class ControlTable:
    """Expressions are written with the attributes' own names (`#owner = :mine`): `#owner` always means `owner`.

    What is written is given as Python has it, or as it was read.
    """

    def __init__(self, wire: Wire, name: str, pipeline: str) -> None:
        self._wire = wire
        self.name = name
        self.pipeline = pipeline

    def of(self, pipeline: str) -> ControlTable:
        """Another part of the same table."""
        return ControlTable(self._wire, self.name, pipeline)

    async def get(self, item: str, *, attributes: tuple[str, ...] = ()) -> Attributes | None:
        """`attributes` picks some of the item's."""
        request: dict[str, Any] = {"TableName": self.name, "Key": self._key(item), "ConsistentRead": True}
        if attributes:
            picked = ", ".join(f"#{name}" for name in attributes)
            request |= {"ProjectionExpression": picked, "ExpressionAttributeNames": _names_in(picked)}
        return await self._ask("GetItem", lambda answer: answer.Item, request)

    async def put(
        self, item: str, attributes: Plain, *, only_if: str | None = None, values: Plain | None = None
    ) -> None:
        """Replace the item. Raises ItemDiffersError."""
        await self._write("PutItem", _nothing, self.put_of(item, attributes, only_if, values))

    async def update(self, item: str, change: str, values: Plain, *, only_if: str | None = None) -> Attributes:
        """Change some attributes and return the whole item as it is then. Raises ItemDiffersError."""
        write = self.update_of(item, change, values, only_if)
        return await self._write("UpdateItem", _changed, write, ReturnValues="ALL_NEW")

    async def delete(self, item: str, *, only_if: str | None = None, values: Plain | None = None) -> None:
        """Delete the item, if it is there. Raises ItemDiffersError."""
        await self._write("DeleteItem", _nothing, self.delete_of(item, only_if, values))

    def put_of(self, item: str, attributes: Plain, only_if: str | None = None, values: Plain | None = None) -> Write:
        """A part of `transact`."""
        return self._part("Put", {"Item": self._key(item) | all_stored(attributes)}, only_if, values)

    def update_of(self, item: str, change: str, values: Plain, only_if: str | None = None) -> Write:
        """A part of `transact`."""
        return self._part("Update", {"Key": self._key(item), "UpdateExpression": change}, only_if, values)

    def delete_of(self, item: str, only_if: str | None = None, values: Plain | None = None) -> Write:
        """A part of `transact`."""
        return self._part("Delete", {"Key": self._key(item)}, only_if, values)

    def _part(self, kind: str, what: dict[str, Any], only_if: str | None, values: Plain | None) -> Write:
        request = {"TableName": self.name, **what}
        if only_if is not None:
            request["ConditionExpression"] = only_if
        if names := _names_in(f"{what.get('UpdateExpression', '')} {only_if or ''}"):
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = all_stored(values)
        return {kind: request}

    async def _write(self, operation: str, read: Callable[[_Answer], Answer], write: Write, **more: str) -> Answer:
        """One write by itself: a condition that fails tells what was found."""
        (request,) = write.values()
        if "ConditionExpression" in request:
            more["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return await self._ask(operation, read, {**request, **more})

    async def transact(self, writes: Sequence[Write]) -> None:
        """All of these, or none; at most 100. Raises ItemDiffersError, which does not tell of which."""
        await self._ask("TransactWriteItems", _nothing, {"TransactItems": writes})

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
            "TableName": self.name,
            "ConsistentRead": True,
            "ScanIndexForward": not is_newest_first,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names_in(condition + projection),
            "ExpressionAttributeValues": all_stored({":pipeline": self.pipeline, ":prefix": prefix}),
        }
        if projection:
            request["ProjectionExpression"] = projection
        if limit is not None:
            request["Limit"] = limit
        if after is not None:
            request["ExclusiveStartKey"] = self._key(after)
        while True:
            items, start = await self._ask("Query", _page, request)
            for found in items:
                yield found
            if not start:
                return
            request["ExclusiveStartKey"] = start

    def _key(self, item: str) -> dict[str, Value]:
        return all_stored({"pipeline": self.pipeline, "item": item})

    async def _ask(self, operation: str, read: Callable[[_Answer], Answer], request: dict[str, Any]) -> Answer:
        about = Call(operation, f"the control table {self.name}")
        try:
            return await self._wire.ask(about, json.dumps(request).encode(), lambda body: read(_understood(body)))
        except ConditionFailedError as failed:
            raise ItemDiffersError({} if failed.item is None else _ITEM.decode(failed.item)) from failed


def _understood(body: bytes) -> _Answer:
    """Raises ValueError for what is no answer of the service."""
    answer = _ANSWER.decode(body)
    if answer == _Answer() and _OBJECT.decode(body):
        raise ValueError("the answer has none of the operation's members")
    return answer


def _nothing(answer: _Answer) -> None:
    """What the service has done is all that counts."""


def _changed(answer: _Answer) -> Attributes:
    """Raises ValueError where it is not there: it was asked for."""
    if answer.Attributes is None:
        raise ValueError("the answer lacks the item")
    return answer.Attributes


def _page(answer: _Answer) -> tuple[Sequence[Attributes], Attributes | None]:
    """The items, and where the next page starts. Raises ValueError where some of them are not there."""
    if answer.Items is None or answer.Count != len(answer.Items):
        raise ValueError("the page has not as many items as it says")
    return answer.Items, answer.LastEvaluatedKey


def _names_in(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
