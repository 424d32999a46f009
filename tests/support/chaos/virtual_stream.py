"""The streams API for one stream: the emulator's real shard is read here, and shown as a lineage.

Sequence numbers are the emulator's. Iterators are our own; creation times are the moment at which the record was
read from the emulator, rounded down to a second as the service does.
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Callable
from typing import Any

import orjson

from tests.support.chaos.faults import Role
from tests.support.chaos.lineage import Lineage, Record, VirtualShard
from tests.support.chaos.proxy_record import Witness

Ask = Callable[[str, dict[str, Any]], Any]
PAGE_BYTES = 1024 * 1024  # API reference, GetRecords: at most 1 MB or 1000 records
ITERATOR_SECONDS = 15 * 60.0  # API reference, GetShardIterator
TAIL_EVERY_SECONDS = 0.1
EMPTY_PAGES_IN_A_ROW = 2  # three count as the tip for the product; the service promises no number


class RefusalError(Exception):
    """The answer is this error of the API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class VirtualStream:
    """`lineage` has the levers for shards; the others are here. All of it belongs to the proxy's event loop."""

    def __init__(
        self,
        description: dict[str, Any],
        ask: Ask,
        witness: Witness,
        *,
        seed: int,
        shards: int,
        note: Callable[[Role, str], None],
        raised_by: int = 0,
    ) -> None:
        """`ask` calls the emulator's streams API. Its sequence numbers are shown `raised_by` higher."""
        self.arn: str = description["StreamArn"]
        self._template = description
        self._real_shard: str = description["Shards"][0]["ShardId"]
        self._ask = ask
        self._witness = witness
        self._note = note
        self._random = random.Random(seed)
        # ministack names no first number; 21 digits are the least (botocore, shape SequenceNumber)
        numbers = description["Shards"][0].get("SequenceNumberRange", {})
        first = numbers.get("StartingSequenceNumber", "1".zfill(21))
        self._raised_by = raised_by
        self.lineage = Lineage(seed, str(int(first) + raised_by).zfill(len(first)), shards=shards)
        self._last_real: str | None = None
        self.status: str | None = None
        """Shown instead of the emulator's."""
        self.page_shards = 100
        """Shards in one page of a description."""
        self.empty_pages = 0.0
        self.cut_pages = 0.0
        self.late_ends = 0.5
        """The chance that a shard's end comes in an empty page of its own; otherwise with its last records (E3)."""
        self.iterator_seconds = ITERATOR_SECONDS
        self._expired_before = 0.0
        self.spoil: Callable[[dict[str, Any]], dict[str, Any] | bytes | None] = lambda record: None
        """What to show instead of a record; None: the record itself. Bytes are any JSON at all."""
        self._empties: dict[str, int] = {}
        self.is_gone = False
        self.dealt = 0
        """Records that the emulator's shard has brought."""
        self.clock_offset_seconds = 0.0
        """How far the service's clock is ahead of ours."""
        self.flicker = 0.0
        """The chance that a listing leaves out one shard, or all pages but the first."""
        self.first_page_only = 0
        """So many listings more end after their first page."""
        self.empty_before: dict[str, int] = {}
        """Empty pages that come before the next records of a shard."""
        self._left_out: dict[str, int] = {}
        self._hidden: set[str] = set()
        self._ends_early = False

    def switch_off(self) -> None:
        """As the table's owner may: what it holds stays readable, and nothing more comes."""
        self.status = "DISABLED"
        self.lineage.close_all()

    def behave_like(self, other: VirtualStream) -> None:
        self.page_shards, self.flicker = other.page_shards, other.flicker
        self.empty_pages, self.cut_pages = other.empty_pages, other.cut_pages

    def wild(self) -> None:
        """All that a healthy stream may do to its reader."""
        self.page_shards = 2
        self.empty_pages = 0.1
        self.cut_pages = 0.2
        self.flicker = 0.05

    def leave_out(self, shard_id: str, listings: int = 1) -> None:
        """The next so many listings don't show this shard."""
        self._left_out[shard_id] = listings

    def expire_iterators(self) -> None:
        """Whatever iterator was given until now is too old."""
        self._expired_before = time.monotonic()

    async def tail(self) -> None:
        """Until cancelled: read the emulator's shard and deal its records out."""
        iterator: str | None = None
        while True:
            try:
                if iterator is None:
                    iterator = await self._real_iterator()
                page = await self._ask("GetRecords", {"ShardIterator": iterator})
            except RefusalError:
                iterator = None
                await asyncio.sleep(0.5)
                continue
            iterator = page.get("NextShardIterator")
            for record in page["Records"]:
                self._deal(record)
            if iterator is None:
                return
            if not page["Records"]:
                await asyncio.sleep(TAIL_EVERY_SECONDS)

    async def _real_iterator(self) -> str:
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._last_real is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last_real}
        request = {"StreamArn": self.arn, "ShardId": self._real_shard} | place
        iterator: str = (await self._ask("GetShardIterator", request))["ShardIterator"]
        return iterator

    def _deal(self, record: dict[str, Any]) -> None:
        change = record["dynamodb"]
        change["ApproximateCreationDateTime"] = int(time.time() + self.clock_offset_seconds)
        key = self._witness.key_of(change["Keys"])
        text = self._last_real = change["SequenceNumber"]
        if self._raised_by:
            text = change["SequenceNumber"] = self._text(int(text) + self._raised_by)
        shown = self.spoil(record)
        if shown is None:
            self._witness.saw_record(key, change.get("NewImage"), time.monotonic(), text)
        raw = shown if isinstance(shown, bytes) else orjson.dumps(shown or record)
        self.dealt += 1
        self.lineage.add(Record(int(text), text, key, raw, time.monotonic()))

    def gave(self, iterator: str) -> bool:
        """The iterator is one of this stream's."""
        return bool(orjson.loads(base64.b64decode(iterator[len("virtual") :]))[0] == self.arn)

    # --- the API

    def answer(self, operation: str, request: dict[str, Any]) -> bytes:
        """The body of the answer. Raises RefusalError."""
        if self.is_gone:
            raise RefusalError("ResourceNotFoundException", "Requested resource not found: Stream not found")
        if operation == "DescribeStream":
            return orjson.dumps({"StreamDescription": self._describe(request)})
        if operation == "GetShardIterator":
            return orjson.dumps({"ShardIterator": self._iterator(request)})
        if operation == "GetRecords":
            return self._records(request)
        raise RefusalError("UnknownOperationException", operation)

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        now = time.monotonic()
        listed = [shard for shard in self.lineage.shards.values() if shard.listed_at <= now]
        start = request.get("ExclusiveStartShardId")
        if start is not None:
            places = [place for place, shard in enumerate(listed) if shard.shard_id == start]
            if not places:
                raise RefusalError("ValidationException", "Invalid ExclusiveStartShardId")
            listed = listed[places[0] + 1 :]
        else:
            self._begin_listing([shard.shard_id for shard in listed])
        listed = [shard for shard in listed if shard.shard_id not in self._hidden]
        size = min(self.page_shards, request.get("Limit", 100))
        description = {**self._template, "Shards": [self._shown(shard, now) for shard in listed[:size]]}
        if len(listed) > size and self._ends_early:
            self._note(Role.STREAM, "only the first page of a listing")
        elif len(listed) > size:
            description["LastEvaluatedShardId"] = listed[size - 1].shard_id
        if self.status is not None:
            description["StreamStatus"] = self.status
        return description

    def _begin_listing(self, shard_ids: list[str]) -> None:
        """Choose what this listing leaves out, on all its pages."""
        self._hidden = {shard_id for shard_id in shard_ids if self._left_out.get(shard_id, 0) > 0}
        for shard_id in self._hidden:
            self._left_out[shard_id] -= 1
        self._ends_early = self.first_page_only > 0
        self.first_page_only = max(0, self.first_page_only - 1)
        if self.flicker and shard_ids and self._random.random() < self.flicker:
            if self._random.random() < 0.5:
                self._ends_early = True
            else:
                self._hidden.add(self._random.choice(shard_ids))
        if self._hidden:
            self._note(Role.STREAM, "shard left out of a listing")

    def _shown(self, shard: VirtualShard, now: float) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": self._text(shard.starting)}
        if shard.ending is not None and shard.ending_shown_at <= now:
            numbers["EndingSequenceNumber"] = self._text(shard.ending)
            shard.is_end_told = True
        shown: dict[str, Any] = {"ShardId": shard.shard_id, "SequenceNumberRange": numbers}
        if shard.parent_id is not None:
            shown["ParentShardId"] = shard.parent_id
        return shown

    def _text(self, number: int) -> str:
        return str(number).zfill(self.lineage.digits)

    def _shard(self, shard_id: str) -> VirtualShard:
        if shard_id not in self.lineage.shards:
            raise RefusalError("ResourceNotFoundException", f"Requested resource not found: Shard {shard_id}")
        return self.lineage.shards[shard_id]

    def _iterator(self, request: dict[str, Any]) -> str:
        shard = self._shard(request["ShardId"])
        kind = request["ShardIteratorType"]
        if kind == "TRIM_HORIZON":
            after = max(shard.trimmed_through, shard.starting - 1)
        elif kind == "LATEST":
            after = shard.tip
        else:
            number = int(request["SequenceNumber"])
            end = shard.ending if shard.ending is not None else max(self.lineage.last, shard.starting)
            if not shard.starting - 1 <= number <= end:
                raise RefusalError("ValidationException", "Invalid SequenceNumber")
            after = number if kind == "AFTER_SEQUENCE_NUMBER" else number - 1
            self._check_trimmed(shard, after)
        return self._token(shard, after)

    def _token(self, shard: VirtualShard, after: int) -> str:
        content = [self.arn, shard.shard_id, str(after), time.monotonic(), self._random.getrandbits(32)]
        return "virtual" + base64.b64encode(orjson.dumps(content)).decode()

    def _check_trimmed(self, shard: VirtualShard, after: int) -> None:
        if after < shard.trimmed_through:
            raise RefusalError("TrimmedDataAccessException", "The operation attempted to read past the oldest record")

    def _records(self, request: dict[str, Any]) -> bytes:
        _, shard_id, after, given_at, _ = orjson.loads(base64.b64decode(request["ShardIterator"][len("virtual") :]))
        after = int(after)
        if time.monotonic() - given_at > self.iterator_seconds or given_at < self._expired_before:
            self._note(Role.STREAM, "expired iterator")
            raise RefusalError("ExpiredIteratorException", "Iterator expired")
        shard = self._shard(shard_id)
        self._check_trimmed(shard, after)
        records = self._cut(shard, shard.after(after, min(1000, request.get("Limit", 1000))))
        last = records[-1].number if records else after
        is_end = not shard.is_open and not shard.after(last, 1)
        if is_end and records and self._random.random() < self.late_ends:
            is_end = False
        members = [b'"Records":[' + b",".join(record.raw for record in records) + b"]"]
        if not is_end:
            members.append(b'"NextShardIterator":' + orjson.dumps(self._token(shard, last)))
        elif records:
            self._note(Role.STREAM, "records without an iterator")
        return b"{" + b",".join(members) + b"}"

    def _cut(self, shard: VirtualShard, found: list[Record]) -> list[Record]:
        size = 0
        for count, record in enumerate(found):
            size += len(record.raw)
            if count and size > PAGE_BYTES:
                found = found[:count]
                break
        empties = self._empties.get(shard.shard_id, 0)
        self._empties[shard.shard_id] = 0
        if found and self.empty_before.get(shard.shard_id, 0) > 0:
            self.empty_before[shard.shard_id] -= 1
            if not shard.is_end_told:  # so many empty pages look like the tip of an open shard, and of no other
                self._witness.held_back(record.key for record in found)
            kind = "records" if shard.is_open else "records of a closed shard"
            self._note(Role.STREAM, f"empty page before the {kind}")
            return []
        if found and empties < EMPTY_PAGES_IN_A_ROW and self._random.random() < self.empty_pages:
            self._empties[shard.shard_id] = empties + 1
            self._note(Role.STREAM, "empty page in the midst")
            return []
        if len(found) > 1 and self._random.random() < self.cut_pages:
            return found[: self._random.randint(1, len(found) - 1)]
        return found
