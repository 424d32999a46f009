"""Which changes need the guard: those created before a moment up to which something else may have written too.

Something else is a former process, a snapshot, a repair or a replay. Outside the window a change has never been
applied, and batches need no conditions.

Inside it, an item without a number (or none at all) is written only while the source holds exactly the change's
image. A content can come twice (A, deleted, A again): what is written so may be the state of a later change, under a
number that is too low, and the changes between would take it back. So those keys are remembered, and their changes are
judged by the source again, inside the window and after it, until every change is settled that was made before the
source was looked at. A process that dies takes that memory with it; its successor judges everything that was made
before by the source.

Where others write at any time and nobody remembers what they wrote (Lambda), the source judges every change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from service.model import Change, ItemKey

MARGIN_SECONDS = 60.0
"""For clocks that differ: ours, a former process's and DynamoDB's."""
MAX_MATCHES = 100_000
"""Some 25 MB; with more, items are written without a number, and all changes made until then are guarded."""


class GuardWindow:
    """Owned by the replicator; extended by whoever writes besides the stream, before it writes."""

    def __init__(
        self, *, guards_all: bool, until: float = 0.0, distrusted_until: float = 0.0, is_shared: bool = False
    ) -> None:
        """Times in seconds since the epoch, compared with changes' creation times. `is_shared`: see above."""
        self.guards_all = guards_all or is_shared
        self.is_shared = is_shared
        self._distrusted_until = distrusted_until
        self._holders = 0
        self._matches: dict[ItemKey, float] = {}
        """Keys that were written because of what the source held, and when it was looked at last."""
        self.until = until
        self.save: Callable[[], Awaitable[None]] = _nothing
        """Before the first write of whoever holds it: a successor, too, has to guard what is written so."""

    def is_inside(self, change: Change) -> bool:
        """Something else may have written this change's key since the change was made."""
        return self._holders > 0 or change.created_at < self.until

    def needs_guard(self, change: Change) -> bool:
        return self.guards_all or self._holders > 0 or change.created_at < self.until or change.key in self._matches

    def distrusts(self, change: Change) -> bool:
        """The replica's number for this key may be lower than its content."""
        return self.is_shared or change.created_at < self._distrusted_until or self.is_match(change)

    def is_match(self, change: Change) -> bool:
        """Its key was written because of what the source held."""
        return change.key in self._matches

    @property
    def has_matches(self) -> bool:
        return bool(self._matches)

    def remember_source_write(self, change: Change, now: float) -> bool:
        """The key is about to be written because of what the source holds; False if it must go without a number."""
        if not self.is_inside(change) and not self.is_match(change):
            return True
        if len(self._matches) >= MAX_MATCHES and not self.is_match(change):
            self.extend(now)
            return False
        self._matches[change.key] = now
        return True

    def extend(self, now: float) -> None:
        """Changes created up to now may meet writes that are not the stream's."""
        self.until = max(self.until, now + MARGIN_SECONDS)

    def hold(self) -> None:
        """Guard everything until `release`."""
        self._holders += 1

    def release(self, now: float) -> None:
        self._holders -= 1
        self.extend(now)

    @property
    def is_held(self) -> bool:
        return self._holders > 0

    def forget_matches(self, settled_up_to: float) -> None:
        """Every change made before that moment is settled: none that could be judged wrongly is left of those keys."""
        self._matches = {key: at for key, at in self._matches.items() if at + MARGIN_SECONDS >= settled_up_to}


async def _nothing() -> None:
    """Where every change is judged by the source, nothing is to be remembered."""
