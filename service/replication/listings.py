"""What the lists of shards tell together: a single list may lack shards for a moment, and proves nothing (I1).

DescribeStream is paged and eventually consistent. A shard that was listed counts as there until several lists in a row,
over a while, have left it out; an end that was shown once is not taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from service.model import Shard, ShardId
from service.pipeline_state import Checkpoint

GONE_AFTER_LISTS = 3
GONE_AFTER_SECONDS = 60.0
"""So many lists, over so long, have to leave a shard out before it counts as gone: AWS gives no bound for how late a
list may be, and says that a child may be missing for some seconds."""
BLIND_AFTER_SECONDS = 30.0
"""Without a list for so long, nobody knows whether the stream is still on."""
REMEMBER_SECONDS = 24 * 3600.0
"""A shard that was read to its end is remembered for so long after it was last listed: no record of it is older."""


@dataclass(frozen=True, slots=True)
class _Absence:
    lists: int
    since: float


class Listings:
    """All lists of one reading of the stream. Times are seconds since the epoch."""

    def __init__(self, saved: Mapping[ShardId, Checkpoint], now: float) -> None:
        self.shards: dict[ShardId, Shard] = {}
        """The shards that are there, as far as all lists together tell."""
        self.listed: set[ShardId] = set()
        """What the last list held: another set with each list."""
        self._listed_at = {shard_id: checkpoint.listed_at or now for shard_id, checkpoint in saved.items()}
        self._absent: dict[ShardId, _Absence] = {}
        self._asked_for = set(saved)
        self.failing_since: float | None = None
        """Since when no list has come; None while the last one that was asked for came."""
        self.failure = ""
        """What the last one that did not come was told."""
        self.is_off = False
        """The stream was switched off: what the source has made since is in no shard."""

    def note_failure(self, error: Exception, now: float) -> None:
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.failure = str(error)

    def blind_since(self, now: float) -> float | None:
        """From when on the source may have made what no known shard shows; None while lists come."""
        since = self.failing_since
        return since if since is not None and now - since > BLIND_AFTER_SECONDS else None

    def add(self, listed: Iterable[Shard], now: float) -> None:
        """Take one whole list into account."""
        self.failing_since = None
        found = {shard.shard_id: shard for shard in listed}
        self.listed = set(found)
        for shard_id, shard in found.items():
            former = self.shards.get(shard_id)
            ending = shard.ending if former is None or former.ending is None else former.ending
            self.shards[shard_id] = replace(shard, ending=ending)
            self._listed_at[shard_id] = now
        self._asked_for |= found.keys() | {shard.parent_id for shard in found.values() if shard.parent_id}
        for shard_id in self._asked_for - found.keys():
            before = self._absent.get(shard_id, _Absence(0, now))
            self._absent[shard_id] = _Absence(before.lists + 1, before.since)
            if self.is_gone(shard_id, now):
                self.shards.pop(shard_id, None)
        for shard_id in found:
            self._absent.pop(shard_id, None)

    def is_gone(self, shard_id: ShardId, now: float) -> bool:
        """Several lists in a row, over a while, have left it out."""
        absence = self._absent.get(shard_id)
        if absence is None:
            return False
        return absence.lists >= GONE_AFTER_LISTS and now - absence.since >= GONE_AFTER_SECONDS

    def is_long_gone(self, shard_id: ShardId, now: float) -> bool:
        """Nobody can ever ask for it again (E23)."""
        return self.is_gone(shard_id, now) and now - self._listed_at.get(shard_id, now) >= REMEMBER_SECONDS

    def forget(self, shard_id: ShardId) -> None:
        for known in (self.shards, self._listed_at, self._absent):
            known.pop(shard_id, None)
        if all(shard.parent_id != shard_id for shard in self.shards.values()):
            self._asked_for.discard(shard_id)

    def last_listed(self, now: float) -> dict[ShardId, float]:
        """When each shard that is gone was last listed, and 0.0 for each that the last list held.

        So a shard is saved when it leaves the list, and costs no write while it is there.
        """
        gone = {
            shard_id: self._listed_at.get(shard_id, 0.0) for shard_id in self._absent if self.is_gone(shard_id, now)
        }
        return dict.fromkeys(self.listed, 0.0) | gone
