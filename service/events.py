"""What happened, as typed events; logs, metrics and the status document's counters are observers of them.

Events are made a page or a batch at a time, never a record at a time, except where a single record is news
(a dead letter). None carries an item's value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from service.errors import RetryableError, ThrottledError
from service.model import ItemKey, SequenceNumber, ShardId


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened. A struct is made in a tenth of a dataclass's time, and two kinds come all the time."""


class PageRead(Event, frozen=True):
    """A page of a shard was read and taken into the queue (an empty one too)."""

    shard_id: ShardId
    records: int
    size: int


class ChangesSettled(Event, frozen=True):
    """A batch of changes is settled. The counts add up to `records`, but for `items_written`.

    `latencies`: seconds from creation at the source to now, of the changes whose write took effect.
    """

    records: int
    applied: int = 0
    coalesced: int = 0
    skipped: int = 0
    unchanged: int = 0
    stale: int = 0
    dead_lettered: int = 0
    items_written: int = 0
    guarded: int = 0
    latencies: Sequence[float] = ()


class Retried(Event, frozen=True):
    """A request to `target` (`source`, `replica`, `stream`, `control`) is going to be made again."""

    target: str
    cause: str
    is_throttle: bool
    error: str = ""
    """The whole sentence: what was asked of which table."""

    @classmethod
    def after(cls, target: str, error: RetryableError) -> Retried:
        return cls(target, error.cause, isinstance(error, ThrottledError), str(error))


class DeadLettered(Event, frozen=True):
    """A change could not be written and was stored."""

    letter_id: str
    shard_id: ShardId
    sequence: SequenceNumber | None
    key: ItemKey | None
    error: str
    attempts: int


class ShardStarted(Event, frozen=True):
    shard_id: ShardId
    position: str


class ShardEnded(Event, frozen=True):
    """Read to its end."""

    shard_id: ShardId


class GapFound(Event, frozen=True):
    shard_id: ShardId | None
    reason: str


class Halted(Event, frozen=True):
    """Nothing goes on until a person acts, or a snapshot mends it."""

    reason: str


class StampKept(Event, frozen=True):
    """An item has an attribute of the stamp's name of its own, which was kept."""


class LeaseAcquired(Event, frozen=True):
    owner: str
    generation: int


class LeaseLost(Event, frozen=True):
    reason: str


class LeaseReleased(Event, frozen=True):
    is_clean: bool


class CheckpointSaved(Event, frozen=True):
    shards: int


class LateWriteMended(Event, frozen=True):
    """A request that was given up had taken effect after a newer change; what it took back was written again."""

    key: ItemKey


class Paused(Event, frozen=True):
    is_paused: bool


class JobChanged(Event, frozen=True):
    """A replay, snapshot or verification started, went on or ended."""

    kind: str
    job_id: str
    state: str
    text: str


class Warned(Event, frozen=True):
    """Something that a person should know, once. `topic` names it: the same topic replaces its earlier text."""

    topic: str
    text: str


class WarningEnded(Event, frozen=True):
    """What was warned of is mended, or never was. May be repeated."""

    topic: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A call to the admin API that changes something. `status` is its answer's; 0 if the client left before."""

    at: datetime
    who: str
    client: str
    method: str
    path: str
    status: int
    details: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, once it was understood: parameters, never an item's values."""

    @property
    def outcome(self) -> str:
        """`done`, `refused` or `failed`."""
        if 200 <= self.status < 400:
            return "done"
        return "refused" if 400 <= self.status < 500 else "failed"


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """The admin API has answered. `route` is the path's template, or `unmatched`; all but the time has few values."""

    method: str
    route: str
    status: int
    seconds: float
    pipeline: str = ""
    """Empty for a call that is about none, or about all."""


class Observer(Protocol):
    """Must be quick and must not raise: it is called from inside the flow."""

    def observe(self, event: Event) -> None: ...


class Observers:
    """Passes each event on to all of them, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def observe(self, event: Event) -> None:
        for observer in self._observers:
            observer.observe(event)


def key_digest(key: ItemKey | None) -> str | None:
    """What stands for a key in logs: keys can be personal, so only their digest is shown above DEBUG."""
    return None if key is None else hashlib.sha256(key).hexdigest()[:16]
