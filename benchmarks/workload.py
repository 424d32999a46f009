"""What the stub serves: a table's stream and its items, made from a few numbers, the same for each run of a case."""

from __future__ import annotations

import itertools
import random
import zlib
from bisect import bisect_right
from dataclasses import dataclass

from service.model import ItemKey

SOURCE, REPLICA, CONTROL = "bench-source", "bench-replica", "bench-control"
HOT_KEYS, HOT_SHARE = 10, 0.9
# GetRecords answers up to 1000 records or 1 MB (API reference, GetRecords).
PAGE_RECORDS, PAGE_BYTES = 1000, 1_000_000
SCAN_PAGE_BYTES = 1_000_000  # of what is stored (API reference, Scan)
_JSON_FOR_STORED = 1.3  # a 1 KB item is about 1.3 KB of JSON
_FIRST_SEQUENCE = 111_000_000_000_000_000_000_000_000  # 27 digits, as the service's are
_LINE_SEQUENCES = 1_000_000_000_000
_WORDS = 'the quick brown fox jumps over a lazy dog while 42 zebras watch; na\\u00efve caf\\u00e9, \\"quoted\\" '


@dataclass(frozen=True, slots=True)
class Workload:
    """A case's stream. `lines` are its open shards; each has `generations` - 1 closed ancestors."""

    records: int = 20_000
    keys: int = 10_000
    """Chosen from at random; 0: each record is a new item."""
    is_hot: bool = False
    item_bytes: int = 1024
    lines: int = 4
    generations: int = 1
    write_milliseconds: float = 0.0
    capacity: float = 0.0
    """Item writes a second; above it the stub throttles. 0 is no limit."""
    per_second: float = 0.0
    """The source's own writes a second; 0: everything is in the stream from the start."""
    table_items: int = 0
    """Items that both tables hold from the start: for scans, and for records that change them."""


class Items:
    """Items of one size; a key's versions differ in a number."""

    def __init__(self, item_bytes: int) -> None:
        length = round(item_bytes * _JSON_FOR_STORED)
        start = (
            ',"owner":{"S":"anna@example.com"},"paid":{"BOOL":true},"tags":{"SS":["new","blue","late"]},'
            '"cart":{"L":[{"M":{"sku":{"S":"A-17"},"n":{"N":"2"}}}]},"note":{"S":"'
        )
        room = max(0, length - len(start) - 60)
        text = (_WORDS * (room // len(_WORDS) + 1))[:room].rstrip("\\")
        text = text[: text.rfind(" ") + 1] if "\\" in text[-6:] else text
        self._tail = f'{start}{text}"}}}}'.encode()

    @staticmethod
    def key(number: int) -> bytes:
        return b"user-%07d" % number

    def image(self, key: int, version: int) -> bytes:
        return b'{"pk":{"S":"user-%07d"},"version":{"N":"%d"}' % (key, version) + self._tail

    def stored_in_replica(self, key: int) -> bytes:
        metadata = b'{"timestamp":{"S":"2026-01-01T00:00:00.000Z"},"dynamirror_sequence":{"S":"%040d"},' % 1
        return metadata + self.image(key, 1)[1:]


class Line:
    """A row of shards, each the parent of the next: the keys of one part of the table, in order."""

    def __init__(self, number: int, keys: list[int], workload: Workload) -> None:
        self.number = number
        self.keys = keys
        ends = [len(keys) * (i + 1) // workload.generations for i in range(workload.generations)]
        self._starts = [0, *ends[:-1]]
        self._ends = ends
        self._before: list[int] = []
        """How many records of the same key come before each."""
        counts = dict.fromkeys(range(workload.table_items), 1)
        for key in keys:
            self._before.append(counts.get(key, 0))
            counts[key] = self._before[-1] + 1

    def shard_ids(self) -> list[str]:
        return [f"shardId-{generation:020d}-{self.number:08x}" for generation in range(len(self._ends))]

    def range_of(self, generation: int) -> tuple[int, int]:
        return self._starts[generation], self._ends[generation]

    def end_from(self, start: int) -> int:
        """Where the shard ends that holds this place; a shard's end belongs to the next one."""
        return self._ends[min(bisect_right(self._ends, start), len(self._ends) - 1)]

    def version(self, place: int) -> int:
        return self._before[place] + 1

    def sequence(self, place: int) -> int:
        return _FIRST_SEQUENCE + self.number * _LINE_SEQUENCES + (place + 1) * 1000


class Stream:
    """The lines of a workload. Pages are made once and kept while they are few."""

    def __init__(self, workload: Workload, created_at: float, mark: str = "") -> None:
        self.workload = workload
        self.mark = mark.encode()
        self.table = SOURCE + mark
        self.arn = f"arn:aws:dynamodb:us-west-2:123456789012:table/{self.table}/stream/2026-01-01T00:00:00.000"
        self._items = Items(workload.item_bytes)
        self._created_at = created_at
        chooser = random.Random(20_260_101)
        keys: list[list[int]] = [[] for _ in range(workload.lines)]
        new = itertools.count()
        for _ in range(workload.records):
            is_hot = workload.is_hot and chooser.random() < HOT_SHARE
            key = chooser.randrange(HOT_KEYS if is_hot else workload.keys) if workload.keys else next(new)
            keys[key % workload.lines].append(key)
        self.lines = [Line(number, found, workload) for number, found in enumerate(keys)]
        one, image = len(self.record(self.lines[0], 0, created_at)) if keys[0] else 0, len(self._items.image(0, 1))
        self.page_records = min(PAGE_RECORDS, PAGE_BYTES // (one + image))  # most records have both images
        self._kept: dict[tuple[int, int], bytes] = {}

    def record(self, line: Line, place: int, created_at: float) -> bytes:
        key, version = line.keys[place], line.version(place)
        is_new = version == 1
        return (
            b'{"awsRegion":"us-west-2","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"pk":{"S":"user-%07d"}},'
            b'"NewImage":%b,%b"SequenceNumber":"%d","SizeBytes":%d,"StreamViewType":"NEW_AND_OLD_IMAGES"},'
            b'"eventID":"%032x","eventName":"%b","eventSource":"aws:dynamodb","eventVersion":"1.1"}'
        ) % (
            int(created_at),
            key,
            self._items.image(key, version),
            b"" if is_new else b'"OldImage":%b,' % self._items.image(key, version - 1),
            line.sequence(place),
            2 * self.workload.item_bytes,
            line.sequence(place),
            b"INSERT" if is_new else b"MODIFY",
        )

    def page(self, line: Line, start: int, end: int, created_at: float | None = None) -> bytes:
        """The whole HTTP answer of GetRecords for these places."""
        found = self._kept.get((line.number, start)) if created_at is None else None
        if found is not None:
            return found
        records = b",".join(
            self.record(line, place, self._created_at if created_at is None else created_at)
            for place in range(start, end)
        )
        is_last = end == line.end_from(start) and end < len(line.keys)
        following = b"" if is_last else b'"NextShardIterator":"%b",' % iterator(line.number, end, self.mark)
        return answer(b'{%b"Records":[%b]}' % (following, records))

    def keep_pages(self) -> None:
        """Make all pages ahead, so that serving them costs nothing."""
        for line in self.lines:
            start = 0
            while start < len(line.keys):
                end = min(start + self.page_records, line.end_from(start))
                self._kept[line.number, start] = self.page(line, start, end)
                start = end

    def due_times(self) -> list[list[float]]:
        """When each of a line's changes is made, in seconds; nothing where all of them are there from the start.

        Each at a random moment of its turn, so that neither the polls of a shard nor other streams keep step with it.
        """
        if not self.workload.per_second:
            return []
        turn, chooser = len(self.lines) / self.workload.per_second, random.Random(self.arn)
        return [[(place + chooser.random()) * turn for place in range(len(line.keys))] for line in self.lines]

    def place_of(self, sequence: int) -> tuple[int, int]:
        """The line that a sequence number belongs to, and its place there."""
        number, behind = divmod(sequence - _FIRST_SEQUENCE, _LINE_SEQUENCES)
        return number, behind // 1000 - 1

    def last_sequences(self) -> dict[ItemKey, bytes]:
        """Each key's last sequence number, as the replica's items carry it."""
        return {
            ItemKey(b'{"pk":{"S":"%b"}}' % self._items.key(key)): b"%040d" % line.sequence(place)
            for line in self.lines
            for place, key in enumerate(line.keys)
        }

    def last_versions(self) -> dict[int, int]:
        """The version in which the source holds each of the stream's keys."""
        return {key: line.version(place) for line in self.lines for place, key in enumerate(line.keys)}


def iterator(line: int, place: int, mark: bytes = b"") -> bytes:
    """As long as the service's own are."""
    return b"it-%d-%d-%b.%b" % (line, place, mark, b"A" * 180)


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    """An HTTP answer with the headers that DynamoDB sends."""
    return (
        b"HTTP/1.1 %b\r\nServer: Server\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\nConnection: keep-alive\r\n"
        b"x-amzn-RequestId: VJ66Q9ASUAAJG0000000000000VV4KQNSO5AEMVJF66Q9ASUAAJG\r\nx-amz-crc32: %d\r\n\r\n%b"
    ) % (status, len(body), zlib.crc32(body), body)
