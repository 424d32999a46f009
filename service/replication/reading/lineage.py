"""Which shards may be read, as far as all lists and checkpoints together tell: parents before children (I1).

Lanes are chosen by item key alone, and so keep a key's order across shards, where a child is read after its parent. A
parent that was trimmed holds nothing back (E17). A shard that is missing from a list may be back in the next one:
until it counts as gone, what depends on it waits, and the pipeline is not caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from service.model import Position, Shard, ShardId, StartAt
from service.pipeline_state import Checkpoint
from service.replication.gaps import shard_vanished
from service.replication.listings import GONE_AFTER_SECONDS, Listings
from service.replication.reading.shard_reader import ShardReader


def readable_shards(
    shards: Iterable[Shard], ended: Collection[ShardId], trimmed: Collection[ShardId] = ()
) -> list[Shard]:
    """The shards to read now, parents before children.

    `ended` were read to their end already; `trimmed` are gone, and nobody knows more of them than their ids.
    """
    return [
        shard
        for shard in shards
        if shard.shard_id not in ended
        and (shard.parent_id is None or shard.parent_id in ended or shard.parent_id in trimmed)
    ]


def first_checkpoints(shards: Iterable[Shard], start: StartAt, now: float) -> dict[ShardId, Checkpoint]:
    """Where a pipeline without any progress begins.

    `trim_horizon`: at the start of every shard. `latest`: at the tip of the open ones; those that are closed already
    count as settled, so that only shards that come later are read from their start (E16).
    """
    if start is StartAt.TRIM_HORIZON:
        return {}
    return {
        shard.shard_id: Checkpoint(
            shard_id=shard.shard_id,
            parent_id=shard.parent_id,
            position=Position(start=StartAt.LATEST, since=now),
            is_closed=not shard.is_open,
        )
        for shard in shards
    }


class Lineage:
    """Of one reading of the stream; it looks at its owner's readers and ended shards, and changes neither."""

    def __init__(
        self,
        *,
        saved: Mapping[ShardId, Checkpoint],
        readers: Mapping[ShardId, ShardReader],
        ended_at: Mapping[ShardId, float],
        reader: Callable[[Shard], ShardReader],
        is_first_start: bool,
        began_at: float,
        now: float,
    ) -> None:
        """`began_at`: up to when a former process knew all to be read; 0.0 when that is not known."""
        self._saved = saved
        self._readers = readers
        self._ended_at = ended_at
        self._reader = reader
        self._is_first_start = is_first_start
        self._is_first_list = True
        self._began_at = began_at
        self._listed_at = 0.0
        self._closed_before: set[ShardId] = set()
        """Shards that the first list showed as closed."""
        self.listings = Listings(saved, now)
        self.found_at: dict[ShardId, float] = {}
        """When each shard held nothing unread: it was not listed then, or a former process had read all of it."""
        self.parents = {checkpoint.parent_id for checkpoint in saved.values() if checkpoint.parent_id is not None}
        """Shards of which any child was ever known: the children's own end and absence take nothing from that."""
        self.missing: dict[ShardId, ShardReader] = {}
        """Unread shards that lists leave out, and children that wait for a parent nobody lists: not caught up."""
        self._missed: dict[ShardId, ShardReader] = {}

    def readable(self) -> list[Shard]:
        """The shards to start reading now. Raises GapError for one that was never listed and is gone."""
        passed = self._passed()
        shards = self.listings.shards.values()
        return [
            shard
            for shard in readable_shards(shards, self._ended_at.keys(), self._trimmed_parents(passed))
            if shard.shard_id not in self._readers and shard.shard_id not in passed
        ]

    def forget(self, shard_id: ShardId) -> None:
        self.found_at.pop(shard_id, None)
        self.parents.discard(shard_id)
        self.listings.forget(shard_id)

    def note_list(self, listed: Sequence[Shard], now: float) -> None:
        """Take a whole list into account. Raises GapError for an unread shard that is gone."""
        self._is_first_list = not self._listed_at
        found_at = self._listed_at or self._began_at
        if self._is_first_list:
            self._closed_before = {shard.shard_id for shard in listed if not shard.is_open}
        self._listed_at = now
        self.listings.add(listed, now)
        parents = {shard.parent_id for shard in self.listings.shards.values() if shard.parent_id is not None}
        self.parents |= parents
        for shard_id, shard in self.listings.shards.items():
            self.found_at.setdefault(shard_id, found_at)
            reader = self._readers.get(shard_id)
            if reader is not None and (not shard.is_open or shard_id in parents):
                reader.note_closed()
        self._check_vanished()

    def lacks_children(self, shard_id: ShardId, ended_at: float) -> bool:
        """Whether a shard that was read to its end may have children that no list has shown yet.

        One that was closed before this reading began has none to wait for if shards were listed whose parents are gone:
        its child was one of those parents. A list may be late with a child all the same, so it is waited for a while.
        """
        if shard_id in self.parents:
            return False
        if shard_id not in self._closed_before:
            return True
        is_cut = any(self.listings.is_gone(parent, self._listed_at) for parent in self._passed())
        return not is_cut or self._listed_at - ended_at < GONE_AFTER_SECONDS

    def _passed(self) -> set[ShardId]:
        """Shards that nothing was saved of and that a child was begun of: they were taken for trimmed, and stay so."""
        begun = self._readers.keys() | self._saved.keys()
        parents = {shard.parent_id for shard in self.listings.shards.values() if shard.shard_id in begun}
        return {parent for parent in parents if parent is not None and parent not in begun}

    def _trimmed_parents(self, passed: set[ShardId]) -> set[ShardId]:
        """Parents that nobody here or before ever knew, and that are gone: they were trimmed long ago (E17).

        What the first list of a new pipeline lacks was trimmed; later, one list proves nothing: the child waits.
        Raises GapError when such a parent may have followed a shard that was read to its end.
        """
        known = self.found_at.keys() | self._saved.keys() | passed
        orphans = {
            shard.shard_id: shard.parent_id
            for shard in self.listings.shards.values()
            if shard.parent_id is not None and shard.parent_id not in known
        }
        if self._is_first_start and self._is_first_list:
            return set(orphans.values()) | passed
        trimmed = {parent for parent in orphans.values() if self.listings.is_gone(parent, self._listed_at)}
        if trimmed and not self._is_all_followed(min(trimmed)):
            trimmed = set()
        for shard_id, parent in orphans.items():
            if parent not in trimmed:
                self._miss(self.listings.shards[shard_id])
        return trimmed | passed

    def _is_all_followed(self, trimmed: ShardId) -> bool:
        """Each shard that was read to its end has a child that is known; else the wait for it goes on, for a while.

        Raises GapError after that: what followed was trimmed before anybody has listed it, and so was never read.
        """
        ends = [at for shard_id, at in self._ended_at.items() if shard_id not in self.parents]
        if ends and self._listed_at - min(ends) >= GONE_AFTER_SECONDS:
            raise shard_vanished(trimmed, Position())
        return not ends

    def _miss(self, shard: Shard) -> None:
        self.missing[shard.shard_id] = self._missed.get(shard.shard_id) or self._reader(shard)

    def _check_vanished(self) -> None:
        """Unread shards that the list lacks: they may come back in the next one, until they are gone (E8)."""
        self._missed, self.missing = self.missing, {}
        unread = (
            (self.found_at.keys() | self._saved.keys()) - self._ended_at.keys() - self._readers.keys() - self._passed()
        )
        for shard_id in unread - self.listings.listed:
            saved = self._saved.get(shard_id) or Checkpoint(shard_id, Position())
            if self.listings.is_gone(shard_id, self._listed_at):
                raise shard_vanished(shard_id, saved.position)
            self._miss(self.listings.shards.get(shard_id) or Shard(shard_id, saved.parent_id))
