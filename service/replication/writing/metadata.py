"""Which metadata attributes the replica's items get: those that are set, unless an index of the replica refuses them.

The stamp and the sequence number are Strings. DynamoDB refuses an item whose attribute has another type than the index
that is keyed on it; so where an index wants a Number of that name, the attribute is left out, and nothing else is lost
by it. The replica's description tells, at a flow's start, every few seconds, and whenever the replica refuses an item.
"""

from __future__ import annotations

from service.events import Observer, Warned, WarningEnded
from service.model import KeyAttribute, TableDescription

TYPE = "S"
NO_GUARD = (
    "no write can tell whether the replica is ahead of it: after a crash, or in a replay, an item may return to an "
    "earlier state for a while"
)
"""What it costs when items carry no sequence number."""


class Metadata:
    """One for a flow; in Lambda for all batches of a process."""

    def __init__(
        self, *, stamp_attribute: str, sequence_attribute: str, keys: tuple[KeyAttribute, ...], observer: Observer
    ) -> None:
        """`keys` are the tables': a stamp gives way to a key by itself."""
        self.stamp_attribute = stamp_attribute
        self.sequence_attribute = sequence_attribute
        self._key_names = frozenset(key.name for key in keys)
        self._observer = observer
        self.left_out: frozenset[str] | None = None
        """What indexes refuse; None before the replica was described."""
        self.has_stamps = bool(stamp_attribute)
        self.has_numbers = bool(sequence_attribute)
        """Items are written with these. Numbers that items carry already are read all the same."""
        if not sequence_attribute:
            observer.observe(
                Warned("no sequence attribute", f"DYNAMIRROR_SEQUENCE_ATTRIBUTE is empty, so that {NO_GUARD}")
            )

    def note(self, replica: TableDescription) -> None:
        """What the replica is like now; warns once of what is left out, until it is no longer."""
        refused = {
            key.name: (index, key.type)
            for index, keys in replica.indexes.items()
            for key in keys
            if key.type != TYPE and key.name not in self._key_names
        }
        known = {self.stamp_attribute, self.sequence_attribute} - {""}
        if (left_out := frozenset(refused.keys() & known)) == self.left_out:
            return
        self.left_out = left_out
        self.has_stamps = bool(self.stamp_attribute) and self.stamp_attribute not in left_out
        self.has_numbers = bool(self.sequence_attribute) and self.sequence_attribute not in left_out
        self._tell("STAMP", self.stamp_attribute, refused, "items are written without a stamp")
        self._tell(
            "SEQUENCE", self.sequence_attribute, refused, f"items are written without a number, so that {NO_GUARD}"
        )

    def _tell(self, kind: str, attribute: str, refused: dict[str, tuple[str, str]], cost: str) -> None:
        topic = f"{kind.lower()} index"
        if attribute not in refused:
            self._observer.observe(WarningEnded(topic))
            return
        index, wanted = refused[attribute]
        self._observer.observe(
            Warned(
                topic,
                f"the replica's index {index!r} is keyed on {attribute!r} as type {wanted}, and would refuse the "
                f"String that is written there: {cost}; set DYNAMIRROR_{kind}_ATTRIBUTE to another name, or remove "
                "the index",
            )
        )
