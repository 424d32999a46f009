"""What a job may ask of the flow that it works beside: its way to the replica, what is saved, and a place to run."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from service.replication.dead_letters import DeadLetters
from service.replication.guard_window import GuardWindow
from service.replication.progress.checkpoints import KeptRecord
from service.replication.requests.retrying import Requests
from service.replication.requests.write_gate import WriteLimiter
from service.replication.writing.guard import Guard
from service.replication.writing.lanes import Lanes
from service.replication.writing.scan_copier import Copier
from service.replication.writing.sink import Sink


class JobFlow(Protocol):
    """The Replicator, or the flow beside Lambda, which reads no stream."""

    lanes: Lanes
    guard: Guard
    window: GuardWindow
    copier: Copier
    sink: Sink
    gate: WriteLimiter
    requests: Requests
    dead_letters: DeadLetters

    @property
    def checkpoints(self) -> KeptRecord: ...

    @property
    def settled_up_to(self) -> float:
        """As of Flow, and so are the methods."""
        ...

    def start_job(self, job: Coroutine[Any, Any, None], name: str, *, is_awaited: bool = False) -> bool: ...

    def start_early(self, job: Coroutine[Any, Any, None], name: str) -> None: ...
