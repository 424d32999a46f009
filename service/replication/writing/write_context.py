"""What every part of the write path works with: both tables, the shape of items, and what keeps their writes right."""

from __future__ import annotations

from dataclasses import dataclass

from service.events import Observer
from service.ports import Clock, ReplicaTable, Table
from service.replication.doubts import Doubts
from service.replication.guard_window import GuardWindow
from service.replication.requests.retrying import Requests
from service.replication.writing.item_shape import Shape


@dataclass(frozen=True, slots=True)
class WriteContext:
    """Of one flow, or of one batch of Lambda's."""

    source: Table
    replica: ReplicaTable
    shape: Shape
    window: GuardWindow
    requests: Requests
    doubts: Doubts
    clock: Clock
    observer: Observer
    is_archive: bool = False
    """The replica keeps what the source's TTL removed, so that an absence proves nothing."""


class WritePart:
    """A part of the write path."""

    def __init__(self, context: WriteContext) -> None:
        self._source, self._replica = context.source, context.replica
        self._shape, self._window = context.shape, context.window
        self._requests, self._doubts = context.requests, context.doubts
        self._clock, self._observer = context.clock, context.observer
