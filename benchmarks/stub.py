"""A stand-in for DynamoDB that is never the bottleneck: one process, raw HTTP/1.1, answers made ahead.

It knows the source, its stream and the replica; whatever concerns another table (the control table) it passes on to
a real emulator. It judges conditions as DynamoDB does, and its source holds each item's last state from the start, as
a table does whose stream is caught up with. It counts requests by kind and items written, and checks that no key goes
back (I1). `Bench.*` targets steer it: Go opens the stream, Report tells the counts.

    python -m benchmarks.stub '{"workload": {...}, "behind": "http://127.0.0.1:5000"}'
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.descriptions import REFUSED_WRITES, THROTTLED, TRIMMED, described_stream, described_table, iterator_of
from benchmarks.replica import Refused, Replica
from benchmarks.stub_connection import Awake, pass_on, serve
from benchmarks.workload import REPLICA, SCAN_PAGE_BYTES, Items, Stream, Workload, answer, iterator
from service.model import KeyAttribute

_KEEP_BYTES = 1_400_000_000
_EMPTY = answer(b"{}")
_WRITTEN = answer(b'{"UnprocessedItems":{}}')
_FAILED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"%b}'
_SINGLE_WRITES = {"putitem": "PutItem", "deleteitem": "DeleteItem"}
_LIVE_PAGE_ITEMS = 1000
_DEFAULT_KEYS = (KeyAttribute("pk", "S"),)


class Stub:
    """All state of one case. Its methods answer one request each: bytes at once, or later through `reply`."""

    def __init__(
        self,
        workload: Workload,
        behind: str,
        counts_only: bool,
        keys: Sequence[KeyAttribute] = _DEFAULT_KEYS,
        mark: str = "",
    ) -> None:
        """`mark` sets the names of one pipeline's tables apart from those of others."""
        self.workload = workload
        self.replica_name = REPLICA + mark
        self._of_replica = b'"%b"' % self.replica_name.encode()
        self.stream = Stream(workload, time.time(), mark)
        self.trouble = ""
        """`throttled` or `poisoned`: its replica's writes; `gapped`: its stream."""
        self._items = Items(workload.item_bytes)
        self._versions = dict.fromkeys(range(workload.table_items), 1) | self.stream.last_versions()
        # For a snapshot the replica is empty; a verification finds everything.
        stored = [] if counts_only else [self._items.stored_in_replica(key) for key in range(workload.table_items)]
        self.replica = Replica(keys, self.stream.last_sequences(), stored)
        self.requests: Counter[str] = Counter()
        self._behind = urlsplit(behind)
        self._opened_at: float | None = None
        self.first_read_at = 0.0
        self._delay = workload.write_milliseconds / 1000
        self._tokens, self._filled_at = 0.0, 0.0
        self._due = self.stream.due_times()
        """When each of a line's changes is made, in seconds from the opening on."""
        self._read_at: dict[tuple[int, int], float] = {}
        self.samples: list[tuple[float, float, float]] = []
        """Of each written change: when it was made, then how long its write took from then, and from its read."""
        self._delays: list[float] = []
        """How long each delayed write really took here: a timer comes late."""
        self._held: list[Callable[[], None]] = []
        """Scans that came before the stream was opened: they begin with it."""
        self._counts_only = counts_only
        self._tables = {
            self.stream.table: [self._items.image(key, 1) for key in range(workload.table_items)],
            self.replica_name: stored,
        }
        self._scan_pages: dict[tuple[str, int, int, int], bytes] = {}
        if workload.records * workload.item_bytes * 3 < _KEEP_BYTES and not workload.per_second:
            self.stream.keep_pages()
        if workload.per_second:
            self.replica.on_written = self._note_latency

    def handle(self, target: str, body: bytes, reply: Callable[[bytes], None]) -> None:
        operation = target.rpartition(".")[2]
        if operation == "getrecords":
            self.requests["GetRecords"] += 1
            reply(self._records(body))
        elif operation == "batchwriteitem" and self._of_replica in body[:80]:
            self.requests["BatchWriteItem"] += 1
            self._write(body, _WRITTEN, reply, self.replica.write_batch)
        elif operation in _SINGLE_WRITES and self._of_replica in body[:80]:
            self.requests[_SINGLE_WRITES[operation]] += 1
            self._write(body, _EMPTY, reply, partial(self.replica.write, is_delete=operation == "deleteitem"))
        else:
            self._rare(target, operation, body, reply)

    def _records(self, body: bytes) -> bytes:
        if self.trouble == "gapped":
            return TRIMMED
        start = body.index(b"it-")
        _, number, place, _ = body[start : body.index(b'"', start)].split(b"-", 3)
        line, at = self.stream.lines[int(number)], int(place)
        if self._opened_at is None:
            return self._nothing(line.number, at)
        if self._due:
            return self._due_records(line.number, at)
        if at >= len(line.keys):
            return self._nothing(line.number, at)
        self._note_read()
        return self.stream.page(line, at, min(at + self.stream.page_records, line.end_from(at)))

    def _note_read(self) -> None:
        """The run begins with its first records; what a program looks at while it starts is no part of it."""
        if self._opened_at is not None and not self.first_read_at:
            self.first_read_at = time.monotonic()

    def _due_records(self, number: int, at: int) -> bytes:
        """What the source has written by now; made with its time."""
        assert self._opened_at is not None
        line, now = self.stream.lines[number], time.monotonic() - self._opened_at
        made = bisect_right(self._due[number], now)
        end = min(made, at + self.stream.page_records)
        if end <= at:
            return self._nothing(number, at)
        self._read_at |= dict.fromkeys(((number, place) for place in range(at, end)), now)
        return self.stream.page(line, at, end, time.time())

    def _note_latency(self, sequence: bytes) -> None:
        assert self._opened_at is not None
        number, place = self.stream.place_of(int(sequence))
        now, due = time.monotonic() - self._opened_at, self._due[number][place]
        self.samples.append((due, now - due, now - self._read_at[number, place]))

    def _nothing(self, line: int, place: int) -> bytes:
        return answer(b'{"NextShardIterator":"%b","Records":[]}' % iterator(line, place, self.stream.mark))

    def _write(self, body: bytes, done: bytes, reply: Callable[[bytes], None], write: Callable[[bytes], None]) -> None:
        if self.workload.capacity and not self._has_capacity(body.count(b'"dynamirror_sequence"')):
            self.requests["throttled"] += 1
            reply(THROTTLED)
            return
        if self.trouble in REFUSED_WRITES:
            self.requests[self.trouble] += 1
            reply(REFUSED_WRITES[self.trouble])
            return
        try:
            write(body)
        except Refused as refused:
            self.requests["refused"] += 1
            held = b"" if refused.item is None else b',"Item":%b' % refused.item
            done = answer(_FAILED % held, b"400 Bad Request")
        self._reply(done, reply)

    def _reply(self, done: bytes, reply: Callable[[bytes], None]) -> None:
        """At once, or as late as the workload's tables answer."""
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._reply_late, reply, done, time.monotonic())
        else:
            reply(done)

    def _reply_late(self, reply: Callable[[bytes], None], done: bytes, asked_at: float) -> None:
        self._delays.append(time.monotonic() - asked_at)
        reply(done)

    def _has_capacity(self, items: int) -> bool:
        now, capacity = time.monotonic(), self.workload.capacity
        self._tokens = min(capacity, self._tokens + (now - self._filled_at) * capacity)
        self._filled_at = now
        if self._tokens < items:
            return False
        self._tokens -= items
        return True

    def _rare(self, target: str, operation: str, body: bytes, reply: Callable[[bytes], None]) -> None:
        asked: dict[str, Any] = json.loads(body or b"{}")
        table = asked.get("TableName") or next(iter(asked.get("RequestItems", {})), None)
        known: dict[str, Callable[[], bytes]] = {
            "go": self._go,
            "report": lambda: answer(json.dumps(self.report()).encode()),
            "describestream": lambda: answer(json.dumps(described_stream(self.stream, asked)).encode()),
            "getsharditerator": lambda: answer(json.dumps(iterator_of(self.stream, asked)).encode()),
        }
        if table in self._tables:
            known |= {
                "describetable": lambda: answer(
                    json.dumps({"Table": described_table(self.stream, str(table), self.workload.table_items)}).encode()
                ),
                "scan": lambda: self._scan(str(table), asked),
                "batchgetitem": lambda: self._batch_get(str(table), asked),
                "getitem": lambda: self._get(str(table), asked),
            }
        if operation in known:
            if operation not in ("go", "report"):
                self.requests[operation] += 1
            if operation == "scan" and self._opened_at is None and asked.get("TotalSegments", 1) > 1:
                self._held.append(lambda: reply(known[operation]()))
            elif operation in ("getitem", "batchgetitem"):
                self._reply(known[operation](), reply)
            else:
                reply(known[operation]())
            return
        self.pass_on(target, body, reply)

    def pass_on(self, target: str, body: bytes, reply: Callable[[bytes], None]) -> None:
        """To the emulator: it is about another table."""
        self.requests[f"control.{target.rpartition('.')[2]}"] += 1
        pass_on(self._behind, target, body, lambda status, found: reply(answer(found, status)))

    def _go(self) -> bytes:
        self._opened_at = time.monotonic()
        for answer_now in self._held:
            answer_now()
        return _EMPTY

    def report(self) -> dict[str, Any]:
        replica = self.replica
        expected = self.workload.records or self.workload.table_items
        done = replica.items_written >= expected if self._counts_only else replica.is_complete
        seconds = replica.last_write_at - self.first_read_at if self.first_read_at else 0.0
        return {
            "is_complete": done,
            "seconds": seconds,
            "items_written": replica.items_written,
            "order_violations": replica.order_violations,
            "requests": dict(self.requests),
            "latencies": sorted(latency for _, latency, _ in self.samples),
            "write_seconds": sum(self._delays) / len(self._delays) if self._delays else 0.0,
        }

    def _scan(self, table: str, asked: dict[str, Any]) -> bytes:
        segment, segments = asked.get("Segment", 0), asked.get("TotalSegments", 1)
        items = self._tables[table]
        if not items and table == self.replica_name:
            return self._scan_live(segment, segments, asked)
        start, end = len(items) * segment // segments, len(items) * (segment + 1) // segments
        if "ExclusiveStartKey" in asked:
            start = int(asked["ExclusiveStartKey"]["pk"]["S"].removeprefix("user-")) + 1
        self._note_read()
        until = min(end, start + min(asked.get("Limit", 10**9), max(1, SCAN_PAGE_BYTES // self.workload.item_bytes)))
        name = (table, segment, start, until)
        if name not in self._scan_pages:
            more = b"" if until >= end else b',"LastEvaluatedKey":{"pk":{"S":"%b"}}' % Items.key(until - 1)
            found = b",".join(items[start:until])
            self._scan_pages[name] = answer(
                b'{"Count":%d,"Items":[%b],"ScannedCount":%d%b}' % (until - start, found, until - start, more)
            )
        return self._scan_pages[name]

    def _scan_live(self, segment: int, segments: int, asked: dict[str, Any]) -> bytes:
        after = asked.get("ExclusiveStartKey")
        key = None if after is None else self.replica.key_of(msgspec.json.encode(after))
        found, following = self.replica.page(segment, segments, key, asked.get("Limit", _LIVE_PAGE_ITEMS))
        more = b"" if following is None else b',"LastEvaluatedKey":%b' % following
        return answer(
            b'{"Count":%d,"Items":[%b],"ScannedCount":%d%b}' % (len(found), b",".join(found), len(found), more)
        )

    def _batch_get(self, table: str, asked: dict[str, Any]) -> bytes:
        given = next(iter(asked["RequestItems"].values()))
        items = filter(None, (self._item(table, key) for key in given["Keys"]))
        return answer(b'{"Responses":{"%b":[%b]},"UnprocessedKeys":{}}' % (table.encode(), b",".join(items)))

    def _get(self, table: str, asked: dict[str, Any]) -> bytes:
        item = self._item(table, asked["Key"])
        return _EMPTY if item is None else answer(b'{"Item":%b}' % item)

    def _item(self, table: str, key: dict[str, Any]) -> bytes | None:
        """What a table holds now: the source, the last state that the stream brings of the item."""
        if table == self.replica_name:
            return self.replica.get(self.replica.key_of(msgspec.json.encode(key)))
        number = int(key["pk"]["S"].removeprefix("user-"))
        return self._items.image(number, self._versions[number]) if number in self._versions else None


def main(given: dict[str, Any]) -> None:
    keys = [KeyAttribute(name, kind) for name, kind in given.get("keys", [("pk", "S")])]
    stub = Stub(Workload(**given["workload"]), given["behind"], given.get("counts_only", False), keys)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Awake())) as runner:
        runner.run(serve(stub))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
