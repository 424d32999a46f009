"""The limit: pages are read and thrown away, and requests of the right size, made ahead, are sent instead.

What it costs is sockets and an event loop; no program that replicates can be cheaper. `batch` writes 25 items a
request, `single` one with a condition.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from urllib.parse import urlsplit

from benchmarks.workload import REPLICA, Items, Workload, iterator

WRITERS = 16
BATCH = 25
READ_AHEAD = 10_000
EMPTY_BYTES = 1000
_HEAD = (
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/x-amz-json-1.0\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\nX-Amz-Target: DynamoDB%b\r\nAuthorization: AWS4-HMAC-SHA256 Credential="
    b"dynamirror/20260101/us-west-2/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
    b"Signature=0123456789012345678901234567890123456789012345678901234567890123\r\nContent-Length: %d\r\n\r\n%b"
)


class Exchange(asyncio.Protocol):
    """A connection on which one request follows the other's answer."""

    def __init__(self, flow: Flow, line: int | None) -> None:
        self._flow = flow
        self.line = line
        self.transport: asyncio.Transport
        self._received = 0
        self._expected = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._flow.ready(self)

    def data_received(self, data: bytes) -> None:
        if not self._expected:
            end = data.index(b"\r\n\r\n")
            at = data.index(b"Content-Length: ") + 16
            self._expected = end + 4 + int(data[at : data.index(b"\r", at)])
            self._received = 0
            self._tail = data[end : end + 300]
        self._received += len(data)
        if self._received == self._expected:
            size, self._expected = self._expected, 0
            self._flow.answered(self, size, self._tail)


class Flow:
    """Reads while little waits, writes what was read."""

    def __init__(self, workload: Workload, is_single: bool) -> None:
        items = Items(workload.item_bytes)
        item = items.stored_in_replica(0).replace(b"dynamirror_sequence", b"dynamirror-sequence")
        self._batch = 1 if is_single else BATCH
        self._request = _single(item) if is_single else _batched(item)
        self._record_bytes = 2 * len(items.image(0, 1)) + 320
        self._waiting = 0.0
        self._left = workload.records
        self._started: set[int] = set()
        self._ended: set[int] = set()
        self._lines = workload.lines
        self._idle: deque[Exchange] = deque()
        self._hungry: deque[tuple[Exchange, bytes]] = deque()

    def ready(self, exchange: Exchange) -> None:
        if exchange.line is None:
            self._idle.append(exchange)
        else:
            self._read(exchange, iterator(exchange.line, 0))

    def _read(self, exchange: Exchange, following: bytes) -> None:
        body = b'{"ShardIterator":"%b","Limit":1000}' % following
        exchange.transport.write(_HEAD % (b"Streams_20120810.GetRecords", len(body), body))

    def answered(self, exchange: Exchange, size: int, tail: bytes) -> None:
        if exchange.line is None:
            self._idle.append(exchange)
            self._write()
            if self._hungry and self._waiting < READ_AHEAD:
                self._read(*self._hungry.popleft())
            return
        at = tail.index(b"it-")
        following = tail[at : tail.index(b'"', at)]
        if size < EMPTY_BYTES:
            asyncio.get_running_loop().call_later(0.01, self._read, exchange, following)
            if exchange.line in self._started:
                self._ended.add(exchange.line)
            if len(self._ended) == self._lines:
                self._waiting = float(self._left)  # what the sizes did not tell, the last batch included
        else:
            self._started.add(exchange.line)
            self._waiting += size / self._record_bytes
            if self._waiting < READ_AHEAD:
                self._read(exchange, following)
            else:
                self._hungry.append((exchange, following))
        self._write()

    def _write(self) -> None:
        while self._idle and self._waiting > 0 and (self._waiting >= self._batch or len(self._ended) == self._lines):
            self._waiting -= self._batch
            self._left -= self._batch
            self._idle.popleft().transport.write(self._request)


def _batched(item: bytes) -> bytes:
    requests = b",".join([b'{"PutRequest":{"Item":%b}}' % item] * BATCH)
    body = b'{"RequestItems":{"%b":[%b]}}' % (REPLICA.encode(), requests)
    return _HEAD % (b"_20120810.BatchWriteItem", len(body), body)


def _single(item: bytes) -> bytes:
    condition = b'"ConditionExpression":"attribute_not_exists(#s)","ExpressionAttributeNames":{"#s":"never"}'
    body = b'{"TableName":"%b","Item":%b,%b}' % (REPLICA.encode(), item, condition)
    return _HEAD % (b"_20120810.PutItem", len(body), body)


async def run(url: str, workload: Workload, is_single: bool) -> None:
    at = urlsplit(url)
    loop, flow = asyncio.get_running_loop(), Flow(workload, is_single)
    for line in [*[None] * WRITERS, *range(workload.lines)]:
        await loop.create_connection(lambda line=line: Exchange(flow, line), at.hostname, at.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = Workload(**json.loads(os.environ["BENCHMARK_WORKLOAD"]))
    asyncio.run(run(os.environ["BENCHMARK_URL"], given, os.environ["BENCHMARK_WRITES"] == "single"))
