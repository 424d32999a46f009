"""Lanes keep a key's order (I1): a key has one lane, and a lane has one write under way at a time.

A lane's writer takes what waits, keeps for each key only the newest state (coalescing), and hands up to 25 different
keys at a time to the sink. Errands (a snapshot's item, a repair, a replayed change) go through the same lanes, each
alone at its turn, so that nothing else touches its key meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from zlib import crc32

from service.errors import DynamirrorError, HaltError, LeaseLostError
from service.model import Change, ItemKey
from service.replication.change_queue import ChangeQueue
from service.replication.writing.sink import MAX_BATCH, Group, Sink

Answer = TypeVar("Answer")
Payload = TypeVar("Payload")

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Of the newest images in a batch. BatchWriteItem takes 16 MB (API reference); JSON can be several times as long as
what is stored, and a lane's memory is bounded by this."""

END_ABANDONED_AFTER_SECONDS = 5.0
"""A request takes no longer (service.adapters, MAX_REQUEST_SECONDS); one that is cut off leaves its keys in doubt."""


class LaneTask:
    """Work on one key that waits for its turn in the key's lane. `done` carries what the work returns or raises."""

    __slots__ = ("done", "key", "running", "work")

    def __init__(self, key: ItemKey, work: Callable[[], Awaitable[Any]]) -> None:
        self.key = key
        self.work = work
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.running: asyncio.Future[Any] | None = None
        """From its turn on: a task of its own, which can be ended without the lane."""

    async def run(self) -> None:
        """An error of the work is its sender's, not the lane's, unless it ends the flow; so is a cancellation."""
        if self.done.cancelled():
            return  # its sender has gone
        self.running = asyncio.ensure_future(self.work())
        try:
            result = await self.running
        except asyncio.CancelledError:
            self.done.cancel()
            lane = asyncio.current_task()
            if lane is None or lane.cancelling():
                raise
        except DynamirrorError as error:
            if not self.done.done():
                self.done.set_exception(error)
            if isinstance(error, LeaseLostError | HaltError):
                raise
        else:
            if not self.done.done():
                self.done.set_result(result)


class Lane:
    """One key range's waiting line. Owned by `Lanes`; touched by the distributor and the lane's writer."""

    def __init__(self) -> None:
        self.waiting: deque[Change | LaneTask] = deque()
        self.has_work = asyncio.Event()

    def take(self) -> list[Group] | LaneTask | None:
        """The next task, or the next changes grouped by key; None when nothing waits."""
        waiting = self.waiting
        if not waiting:
            self.has_work.clear()
            return None
        if isinstance(waiting[0], LaneTask):
            return self._take_errand()
        groups: dict[ItemKey, Group] = {}
        size = 0
        while waiting:
            change = waiting[0]
            if isinstance(change, LaneTask):
                break
            group = groups.get(change.key)
            if group is None:
                if len(groups) == MAX_BATCH or size > MAX_BATCH_BYTES:
                    break
                groups[change.key] = [change]
                size += change.size
            else:
                group.append(change)
            waiting.popleft()
        return list(groups.values())

    def _take_errand(self) -> LaneTask:
        task = self.waiting.popleft()
        assert isinstance(task, LaneTask)
        return task


class Lanes:
    def __init__(self, count: int, sink: Sink) -> None:
        self._lanes = [Lane() for _ in range(count)]
        self._sink = sink
        self._is_draining = False
        self._abandoned: set[asyncio.Future[Any]] = set()
        """Errands under way whose senders have gone."""
        self.watchers: list[Callable[[Sequence[Change]], None]] = []
        """Told of all changes that enter the lanes, before any of them is applied."""

    async def apply_all(self, queue: ChangeQueue) -> None:
        """Apply what the queue brings; returns once it is closed, empty and everything taken is settled."""
        async with asyncio.TaskGroup() as tasks:
            for number, lane in enumerate(self._lanes):
                tasks.create_task(self._write(lane), name=f"lane {number}")
            while changes := await queue.get():
                self._distribute(changes)
            self._is_draining = True
            for lane in self._lanes:
                lane.has_work.set()

    def _distribute(self, changes: Sequence[Change]) -> None:
        for tell in self.watchers:
            tell(changes)
        lanes, count = self._lanes, len(self._lanes)
        for change in changes:
            lane = lanes[crc32(change.key) % count]
            if not lane.waiting:
                lane.has_work.set()
            lane.waiting.append(change)

    def together(self, items: Sequence[tuple[ItemKey, Payload]]) -> list[list[tuple[ItemKey, Payload]]]:
        """Sorted into parts of at most 25 that share a lane: work on one key of a part has the whole part to itself."""
        lanes: list[list[tuple[ItemKey, Payload]]] = [[] for _ in self._lanes]
        for item in items:
            lanes[crc32(item[0]) % len(lanes)].append(item)
        return [lane[start : start + MAX_BATCH] for lane in lanes for start in range(0, len(lane), MAX_BATCH)]

    async def run(self, key: ItemKey, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do this at the key's next turn; returns what it returns, raises what it raises.

        May be called only while `apply_all` runs.
        """
        task = LaneTask(key, work)
        lane = self._lanes[crc32(key) % len(self._lanes)]
        lane.waiting.append(task)
        lane.has_work.set()
        try:
            answer: Answer = await task.done
            return answer
        finally:
            if task.running is not None and not task.running.done():
                self._abandoned.add(task.running)
                task.running.add_done_callback(self._abandoned.discard)

    async def end_abandoned(self) -> None:
        """Returns when no task is under way whose sender has gone; one whose turn has not come is never begun.

        Each may finish the request that it is at. What waits longer, in a pause or for a replica that does not answer,
        is ended.
        """
        if not self._abandoned:
            return
        _, waiting = await asyncio.wait(set(self._abandoned), timeout=END_ABANDONED_AFTER_SECONDS)
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait(waiting)

    async def _write(self, lane: Lane) -> None:
        """The lane's writer: one batch or one task at a time, until everything is drained."""
        while True:
            taken = lane.take()
            if isinstance(taken, LaneTask):
                await taken.run()
            elif taken is not None:
                await self._sink.apply(taken)
            elif self._is_draining:
                return
            else:
                await lane.has_work.wait()
