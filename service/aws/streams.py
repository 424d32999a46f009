"""The source's stream: shards, iterators and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from service.aws.call_rate import DESCRIBE_STREAM_PER_SECOND, CallRate
from service.aws.calls import ask
from service.aws.error_codes import Call
from service.aws.http.wire import Wire
from service.dynamodb_json.records import RecordReader
from service.model import (
    KeyAttribute,
    Page,
    Position,
    SequenceNumber,
    Shard,
    ShardId,
    StreamDescription,
    StreamStatus,
    ViewType,
)

# botocore, dynamodbstreams 2012-08-10: shape PositiveIntegerObject of GetRecords.Limit, and its documentation.
_LARGEST_PAGE = 1000


class DynamoStreams:
    """One stream. Implements ports.Streams.

    `view_type` counts for records that do not name theirs; `rate` is that of DescribeStream.
    """

    def __init__(
        self,
        wire: Wire,
        stream_arn: str,
        keys: tuple[KeyAttribute, ...],
        view_type: ViewType | None,
        rate: CallRate | None = None,
    ) -> None:
        self._rate = rate or CallRate(DESCRIBE_STREAM_PER_SECOND)
        self._wire = wire
        self._arn = stream_arn
        self._records = RecordReader(keys, view_type)
        self._describe = Call("DescribeStream", f"the stream {stream_arn}")

    async def describe(self) -> StreamDescription:
        shards: list[Shard] = []
        request: dict[str, Any] = {"StreamArn": self._arn}
        while True:
            await self._rate.wait()
            page, last = await ask(self._wire, self._describe, self._description, **request)
            shards += page.shards
            if not last:
                return replace(page, shards=tuple(shards))
            request["ExclusiveStartShardId"] = last

    def _description(self, answer: Mapping[str, Any]) -> tuple[StreamDescription, str | None]:
        """A page of it, and the last shard of the page if there is another page."""
        found: Mapping[str, Any] = answer["StreamDescription"]
        description = StreamDescription(
            arn=self._arn,
            status=StreamStatus(found["StreamStatus"]),
            view_type=ViewType(found["StreamViewType"]),
            shards=tuple(map(_shard, found["Shards"])),
        )
        return description, found.get("LastEvaluatedShardId")

    async def iterator(self, shard_id: ShardId, position: Position) -> str:
        request = {"StreamArn": self._arn, "ShardId": shard_id}
        if position.after is not None:
            request |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(position.after)}
        else:
            request["ShardIteratorType"] = position.start.name
        call = Call("GetShardIterator", self._shard_text(shard_id))
        return await ask(self._wire, call, lambda answer: str(answer["ShardIterator"]), **request)

    async def read(self, shard_id: ShardId, iterator: str, limit: int) -> Page:
        body = b'{"ShardIterator":%b,"Limit":%d}' % (msgspec.json.encode(iterator), min(max(limit, 1), _LARGEST_PAGE))
        call = Call("GetRecords", self._shard_text(shard_id))
        return await self._wire.ask(call, body, partial(self._records.page, shard_id))

    def _shard_text(self, shard_id: ShardId) -> str:
        return f"the shard {shard_id} of {self._arn}"


def _shard(found: Mapping[str, Any]) -> Shard:
    """Only the id is certain to be there (E80)."""
    numbers = found.get("SequenceNumberRange") or {}
    return Shard(
        shard_id=ShardId(found["ShardId"]),
        parent_id=ShardId(found["ParentShardId"]) if found.get("ParentShardId") else None,
        starting=_number(numbers.get("StartingSequenceNumber")),
        ending=_number(numbers.get("EndingSequenceNumber")),
    )


def _number(text: str | None) -> SequenceNumber | None:
    return SequenceNumber.parse(text) if text else None
