"""Whether the stream was looked at since this start: before that, nobody knows of history that was lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from service.model import Shard, ShardId


class FirstLook:
    """Owned by the readers: done when the list was seen, and each shard that was begun then was asked for a page."""

    def __init__(self) -> None:
        self._left: set[ShardId] | None = None
        self.on_done: Callable[[], None] = lambda: None

    @property
    def is_done(self) -> bool:
        return self._left is not None and not self._left

    @property
    def has_list(self) -> bool:
        return self._left is not None

    def begin(self, shards: Iterable[Shard]) -> None:
        """The list was seen, and these are read from now on; later lists change nothing."""
        if self._left is None:
            self._left = {shard.shard_id for shard in shards}
            if not self._left:
                self.on_done()

    def note(self, shard_id: ShardId) -> None:
        """It gave a page; or an error that is waited out, and may last."""
        if self._left:
            self._left.discard(shard_id)
            if not self._left:
                self.on_done()

    def end(self) -> None:
        """What is left of it has to wait for long: the start is over all the same."""
        if self._left:
            self._left.clear()
            self.on_done()
