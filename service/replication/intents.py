"""What a change wants the replica to hold: the one place for the stream, a redrive, a replay and Lambda."""

from __future__ import annotations

import msgspec

from service.model import Change, Effect, Image
from service.replication.shape import Shape


class Intent(msgspec.Struct, frozen=True, gc=False):
    """The replica's item without its metadata, and the source's image that it was made of; both None for a delete."""

    projected: Image | None = None
    raw: Image | None = None


class Intents:
    """Immutable; may be shared."""

    def __init__(self, shape: Shape, *, skips_ttl_deletes: bool) -> None:
        self._shape = shape
        self.skips_ttl_deletes = skips_ttl_deletes

    def of(self, change: Change, looked_up: Image | None) -> Intent | None:
        """None if a filter or the transform leaves the change out. Raises ChangeError.

        `looked_up` is the source's present item, for a record that carries none.
        """
        if change.is_ttl_delete and self.skips_ttl_deletes:
            return None
        raw = looked_up if change.effect is Effect.LOOK_UP else change.image
        if raw is None:
            return Intent()
        projected = self._shape.project(raw)
        return None if projected is None else Intent(projected, raw)
