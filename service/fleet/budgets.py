"""What the pipelines of one process share, divided: memory of the queues, writes per second, scans at a time."""

from __future__ import annotations

import asyncio

from service.configuration.settings import ProcessSettings
from service.ports import Clock
from service.replication.allowance import SCANS_AT_ONCE, Allowance
from service.replication.requests.turns import Turns
from service.replication.requests.write_rate import WriteRate


class Budgets:
    def __init__(self, process: ProcessSettings, clock: Clock, *, is_alone: bool = False) -> None:
        self._queue_max_bytes = process.queue_max_bytes
        per_second = process.max_writes_per_second
        self._writes = WriteRate(clock, per_second) if per_second else None
        self._turns = None if is_alone else Turns()
        self._scans = asyncio.Semaphore(SCANS_AT_ONCE)

    def queue_bytes_of_each(self, pipelines: int) -> int:
        """An even share, whatever each of them does with it: a page that is larger enters its queue in parts."""
        return max(self._queue_max_bytes // max(pipelines, 1), 1)

    def allowance(self, pipelines: int) -> Allowance:
        """Of one of so many."""
        writes = self._writes.share() if self._writes else None
        turns = self._turns.share() if self._turns else None
        return Allowance(self.queue_bytes_of_each(pipelines), writes, turns, self._scans)
