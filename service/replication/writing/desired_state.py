"""What a change wants the replica to hold: the one place for the stream, a redrive, a replay and Lambda."""

from __future__ import annotations

import msgspec

from service.model import Change, Effect, Image
from service.replication.writing.item_shape import Shape

INSERT, REMOVE = "INSERT", "REMOVE"
"""The event names of records that tell of a new item, and of its end (botocore, dynamodbstreams: OperationType)."""


class DesiredState(msgspec.Struct, frozen=True, gc=False):
    """What the replica should hold, without its metadata, and the source's image that this was made of."""

    projected: Image | None = None
    """None: no item."""
    raw: Image | None = None
    """None: the source's item is gone. An image whose `projected` is None does not belong in the replica."""


class DesiredStates:
    """Immutable; may be shared."""

    def __init__(self, shape: Shape, *, skips_ttl_deletes: bool) -> None:
        self._shape = shape
        self.skips_ttl_deletes = skips_ttl_deletes

    def of(self, change: Change, looked_up: Image | None) -> DesiredState | None:
        """None if the change tells nothing of what an archive should hold. Raises ChangeError.

        `looked_up` is the source's present item, for a record that carries none. That there is none does not tell who
        removed it: in an archive, only the REMOVE record does, which is still to come.
        """
        if change.is_ttl_delete and self.skips_ttl_deletes:
            return None
        raw = looked_up if change.effect is Effect.LOOK_UP else change.image
        if raw is not None:
            return DesiredState(self._shape.project(raw), raw)
        if self.skips_ttl_deletes and change.effect is Effect.LOOK_UP and change.event_name != REMOVE:
            return None
        return DesiredState()
