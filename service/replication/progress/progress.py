"""How far each shard was read and settled, and when that is saved (I2).

`read_through` ≥ `settled_through` ≥ checkpoint. Lanes finish out of order; only the unbroken run from the front of a
shard counts, so a checkpoint never passes a change that is not settled. A crash here costs what was settled since
the last save: it is read again, and the guard finds it applied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.model import Change, Position, SequenceNumber, ShardId
from service.pipeline_state import Checkpoint

READ_UP_TO_STEP_SECONDS = 600.0
"""An idle shard saves how far it is read so often: short beside the 24 hours that records are kept."""


@dataclass(slots=True)
class ShardProgress:
    """One shard. `order` holds what was read and lies beyond `settled_through`, settled or not."""

    shard_id: ShardId
    parent_id: ShardId | None
    position: Position
    """From where the shard is read again after a crash: advances with `settled_through`."""
    is_ended: bool = False
    """Read to its end: no further change will come."""
    read_through: SequenceNumber | None = None
    last_created_at: float = 0.0
    """When the change at `read_through` was created (seconds since the epoch)."""
    order: deque[SequenceNumber] = field(default_factory=deque)
    unsettled: dict[SequenceNumber, float] = field(default_factory=dict)
    """What is not settled, and when it was created at the source (seconds since the epoch)."""
    records_read: int = 0
    records_settled: int = 0
    reader_up_to: Callable[[], float] = field(default=lambda: 0.0)
    """Everything made before that moment was read."""
    _told: Checkpoint | None = None

    def admit(self, changes: Sequence[Change], settled: Sequence[SequenceNumber] = ()) -> None:
        """`settled`: the places of records between them that are settled already, none of which is a change."""
        sequences = [change.sequence for change in changes]
        self.unsettled.update(zip(sequences, [change.created_at for change in changes], strict=True))
        if settled:
            sequences = sorted([*sequences, *settled])
        self.order.extend(sequences)
        self.read_through = sequences[-1]
        self.last_created_at = self.unsettled.get(sequences[-1], 0.0)
        self.records_read += len(changes)

    def advance(self) -> None:
        """Move over the settled run at the front. Amortised constant time a change."""
        order, unsettled = self.order, self.unsettled
        last: SequenceNumber | None = None
        while order and order[0] not in unsettled:
            last = order.popleft()
        if last is not None:
            self.position = Position(after=last, since=self.last_created_at if last == self.read_through else 0.0)

    @property
    def is_closed(self) -> bool:
        """Settled to the end of a shard that will bring no more (E56)."""
        return self.is_ended and not self.unsettled

    @property
    def oldest_unsettled_at(self) -> float | None:
        """Creation time of the oldest change that is not settled."""
        self.advance()
        return self.unsettled[self.order[0]] if self.order else None

    def checkpoint(self) -> Checkpoint:
        """What a restart goes on from. An idle shard's `read_up_to` moves in steps: it costs no write all the time.

        The same object as before while there is nothing new to save.
        """
        told = self._told
        if told is not None and told.is_closed:
            return told  # nothing of it changes any more
        self.advance()
        read_up_to = self.reader_up_to()
        if self.order:
            read_up_to = min(read_up_to, self.unsettled[self.order[0]])
        is_idle = told is not None and told.position is self.position and not self.is_closed
        if told is not None and is_idle and read_up_to - told.read_up_to < READ_UP_TO_STEP_SECONDS:
            return told
        now = Checkpoint(self.shard_id, self.position, self.parent_id, self.is_closed, read_up_to)
        self._told = now
        return now


class Progress:
    """All shards of one reading of the stream. Owned by the replicator; readers admit, lanes settle."""

    def __init__(self, release: Callable[[int, int], None] = lambda records, size: None) -> None:
        """`release` is told how many changes, and how many bytes of them, were settled: their room is free."""
        self.shards: dict[ShardId, ShardProgress] = {}
        self._release = release

    def start(
        self,
        shard_id: ShardId,
        parent_id: ShardId | None,
        position: Position,
        read_up_to: Callable[[], float] = lambda: 0.0,
    ) -> ShardProgress:
        shard = ShardProgress(shard_id, parent_id, position, reader_up_to=read_up_to)
        self.shards[shard_id] = shard
        return shard

    def admit(self, shard_id: ShardId, changes: Sequence[Change], settled: Sequence[SequenceNumber] = ()) -> None:
        """These were read, in this order; called before any of them can be settled.

        `settled`: the places of records that can't be understood, and are dead letters: a checkpoint passes them.
        """
        if changes or settled:
            self.shards[shard_id].admit(changes, settled)

    def settle(self, changes: Sequence[Change]) -> None:
        """These are applied, superseded, skipped or stored as dead letters. Each change is settled once."""
        shards = self.shards
        size = 0
        for change in changes:
            shard = shards[change.shard_id]
            shard.unsettled.pop(change.sequence, None)
            shard.records_settled += 1
            size += change.size
        self._release(len(changes), size)

    def end(self, shard_id: ShardId) -> None:
        """The shard was read to its end."""
        self.shards[shard_id].is_ended = True

    @property
    def unsettled(self) -> int:
        return sum(len(shard.unsettled) for shard in self.shards.values())

    @property
    def is_exact(self) -> bool:
        """Nothing beyond a checkpoint was settled: a restart from the checkpoints repeats nothing."""
        for shard in self.shards.values():
            shard.advance()
        return all(len(shard.order) == len(shard.unsettled) for shard in self.shards.values())

    def checkpoints(self) -> dict[ShardId, Checkpoint]:
        return {shard_id: shard.checkpoint() for shard_id, shard in self.shards.items()}
