"""The stub's replica: it keeps no items, only how far each key has come, and notices when one goes back (I1)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from benchmarks.workload import Stream

_SPLICED = re.compile(rb'"dynamirror_sequence": ?\{"S": ?"(\d{40})"\}, ?"pk": ?\{"S": ?"([^"]+)"')


class Replica:
    """What was written: the last sequence number of each key. Owned by the stub's loop."""

    def __init__(self, stream: Stream) -> None:
        self._final = stream.last_sequences()
        self._last: dict[bytes, bytes] = {}
        self._missing = len(self._final)
        self.items_written = 0
        self.order_violations = 0
        self.last_write_at = 0.0
        self.on_written: Callable[[bytes], None] = lambda sequence: None

    @property
    def is_complete(self) -> bool:
        """Every key has its last state."""
        return not self._missing

    def write(self, body: bytes) -> None:
        found = _SPLICED.findall(body)
        self.items_written += len(found) or body.count(b'"PutRequest"') or 1
        last, final = self._last, self._final
        for sequence, key in found:
            if sequence < last.get(key, b""):
                self.order_violations += 1
            elif sequence == final.get(key) != last.get(key):
                self._missing -= 1
            last[key] = sequence
            self.on_written(sequence)
        self.last_write_at = time.monotonic()

    def newer(self, body: bytes) -> bytes | None:
        """The item that a conditional put meets, when it is not older."""
        for sequence, key in _SPLICED.findall(body):
            held = self._last.get(key, b"")
            if held >= sequence:
                return b'{"pk":{"S":"%b"},"dynamirror_sequence":{"S":"%b"}}' % (key, held)
        return None
