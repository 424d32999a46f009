"""Which shards a save writes where: pure, from what was saved before and what is to be saved now.

A pipeline's checkpoints lie in the item `progress` (what changed lately) and in parts, items of their own that are
never changed: a later part replaces what earlier ones say of a shard, and `progress` replaces them all. So one write
of `progress`, which names the parts that count, is a save: it happens wholly or not at all, however many shards there
are, and it costs what changed. Every shard that changes all the time stays in `progress`; what stands still is moved
into a new part once it takes up `COLD_BYTES`. A part of which little counts any more is given up, and the rest of it is
moved along: the parts together take at most about twice what counts.

The other way, an item for each shard and a transaction for each save, costs two write units a shard and save, where
seven busy shards share one here. With 2,000 busy shards that is 4,000 units a second, and a partition takes 1,000
(Developer Guide, "Partitions and data distribution"): a pipeline's items share their partition key. It would need
another right, too (ConditionCheckItem), and a save of over a hundred shards could be done in part.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.aws.control.attributes import Value, item_size
from service.aws.control.checkpoint_attributes import checkpoint_attributes
from service.model import ShardId
from service.pipeline_state import Checkpoint

COLD_BYTES = 4096
"""Of what stands still in `progress`: each save costs it again, a write unit for a KB."""
PART_BYTES = 8192
"""Of a part, or, where that is more, a 64th of all that counts: to give a part up costs what is left of it, and its
deletion what it has; but `progress` names all parts, in 13 bytes each."""
FULL_PARTS = 64
MAX_PARTS = 2 * FULL_PARTS
JOINED_AT_ONCE = 16
"""Of more parts, the smallest are joined."""
SLACK_BYTES = 2 * PART_BYTES
"""So much that does not count any more is left alone, however little counts."""
STILL = 0
"""No save's number: a shard that is new, or was found, counts as standing still until it changes."""
FORGOTTEN: Value = {"NULL": True}
"""A shard that is not remembered any more, though an earlier part has it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an item says of a shard."""

    checkpoint: Checkpoint | None
    """None: it is forgotten."""
    value: Value
    size: int
    saves: int = STILL
    """The save that changed it."""

    @classmethod
    def of(cls, shard_id: ShardId, checkpoint: Checkpoint | None, saves: int) -> Entry:
        value = FORGOTTEN if checkpoint is None else checkpoint_attributes(checkpoint)
        return cls(checkpoint, value, 1 + item_size({shard_id: value}), saves)

    @classmethod
    def stored(cls, shard_id: ShardId, checkpoint: Checkpoint | None, value: Value) -> Entry:
        """As it was found."""
        return cls(checkpoint, value, 1 + item_size({shard_id: value}))


Entries = dict[ShardId, Entry]


@dataclass(frozen=True, slots=True)
class Fold:
    """What a save moves: `parts` are written first, then `progress` names them, and those `given_up` no more."""

    parts: dict[str, Entries]
    given_up: frozenset[str]


class ShardLog:
    """As it is in the control table, or will be with the next save. Owned by one tenure of the lease."""

    def __init__(self, parts: Mapping[str, Entries], recent: Entries) -> None:
        """`parts` in the order in which `progress` names them."""
        self.parts = dict(parts)
        self.recent = dict(recent)
        """What `progress` itself says."""
        self._newest: Entries = {}
        for entries in (*self.parts.values(), self.recent):
            self._newest |= entries
        self._forgotten = {shard_id for shard_id, entry in self._newest.items() if entry.checkpoint is None}

    def checkpoints(self) -> dict[ShardId, Checkpoint]:
        return {shard_id: entry.checkpoint for shard_id, entry in self._newest.items() if entry.checkpoint is not None}

    def note(self, checkpoints: Mapping[ShardId, Checkpoint], saves: int) -> None:
        """These are to be saved, by the save of that number, and no others."""
        newest = self._newest
        for shard_id, checkpoint in checkpoints.items():
            entry = newest.get(shard_id)
            if entry is None:
                newest[shard_id] = self.recent[shard_id] = Entry.of(shard_id, checkpoint, STILL)
            elif not (entry.checkpoint is checkpoint or entry.checkpoint == checkpoint):
                newest[shard_id] = self.recent[shard_id] = Entry.of(shard_id, checkpoint, saves)
                self._forgotten.discard(shard_id)
        if len(newest) - len(self._forgotten) > len(checkpoints):
            for shard_id in newest.keys() - checkpoints.keys() - self._forgotten:
                newest[shard_id] = self.recent[shard_id] = Entry.of(shard_id, None, saves)
                self._forgotten.add(shard_id)
            self._drop_forgotten()

    def _drop_forgotten(self) -> None:
        """Nothing has to be said of shards that no part has."""
        for shard_id in [shard_id for shard_id in self._forgotten if not self._is_in_parts(shard_id, self.parts)]:
            self.recent.pop(shard_id, None)
            del self._newest[shard_id]
            self._forgotten.discard(shard_id)

    def fold(self, saves: int, room: int) -> Fold | None:
        """What the save of that number has to move, so that at most `room` bytes of shards are left in `progress`."""
        moving = {shard_id: entry for shard_id, entry in self.recent.items() if entry.saves != saves}
        if _size(moving) <= COLD_BYTES:
            moving = {}
        left = _size(self.recent) - _size(moving)
        for shard_id, entry in self.recent.items():
            if left <= room:
                break
            if shard_id not in moving:
                moving[shard_id] = entry
                left -= entry.size
        return self._fold_of(moving) if moving else None

    def _fold_of(self, moving: Entries) -> Fold:
        """With what is left of the parts that this gives up."""
        live = {name: self._live(name) for name in self.parts}
        counts = _size(moving) + sum(map(_size, live.values()))
        given_up = self._worthless({name: _size(entries) for name, entries in live.items()}, counts)
        left = self.parts.keys() - given_up
        moved: Entries = {}
        for name in self.parts:
            if name in given_up:
                moved |= live[name]
        moved = {
            shard_id: entry
            for shard_id, entry in (moved | moving).items()
            if entry.checkpoint is not None or self._is_in_parts(shard_id, left)
        }
        return Fold(_named(moved, _part_bytes(counts)), frozenset(given_up))

    def apply(self, fold: Fold) -> None:
        """Its parts are written."""
        for name in fold.given_up:
            del self.parts[name]
        self.parts |= fold.parts
        for entries in fold.parts.values():
            for shard_id, entry in entries.items():
                if self.recent.get(shard_id) is entry:
                    del self.recent[shard_id]
        self._drop_forgotten()

    def _worthless(self, live: Mapping[str, int], counts: int) -> set[str]:
        """The parts to give up: those of which the least counts, until most of what all of them hold counts.

        `live` are each part's bytes that count, `counts` are all that count and lie in parts then.
        """
        sizes = {name: _size(entries) for name, entries in self.parts.items()}
        dead = sum(sizes.values()) - sum(live.values())
        given_up: set[str] = set()
        for name in sorted(self.parts, key=lambda name: live[name] / sizes[name]):
            if dead <= counts + SLACK_BYTES:
                break
            given_up.add(name)
            dead -= sizes[name] - live[name]
        left = sorted(self.parts.keys() - given_up, key=lambda name: live[name])
        if len(left) >= MAX_PARTS:
            given_up |= {name for name in left[:JOINED_AT_ONCE] if live[name] < 0.75 * _part_bytes(counts)}
        return given_up

    def _live(self, name: str) -> Entries:
        """What a part says and nothing later replaces."""
        newest = self._newest
        return {shard_id: entry for shard_id, entry in self.parts[name].items() if newest.get(shard_id) is entry}

    def _is_in_parts(self, shard_id: ShardId, names: Iterable[str]) -> bool:
        return any(shard_id in self.parts[name] for name in names)


def _size(entries: Entries) -> int:
    return sum(entry.size for entry in entries.values())


def _part_bytes(counts: int) -> int:
    return max(PART_BYTES, counts // FULL_PARTS)


def _named(moved: Entries, part_bytes: int) -> dict[str, Entries]:
    """In parts that are not too large, each with a name of its own: no request that is late can meet another part."""
    parts: dict[str, Entries] = {}
    part: Entries = {}
    room = 0
    for shard_id, entry in moved.items():
        if entry.size > room:
            part = parts[secrets.token_hex(6)] = {}
            room = part_bytes
        part[shard_id] = entry
        room -= entry.size
    return parts
