"""What the replica's item looks like: the source's image, projected, transformed and stamped.

One place for stream, snapshot, verification, replay and Lambda. An image that nothing is configured to change is
never decoded: stamping is a splice of bytes, and every attribute value stays exactly what it was on the wire (I6).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from service import items
from service.errors import ChangeError
from service.model import Image, SequenceNumber
from service.ports import Clock
from service.telemetry import Observer, StampKept, Warned

_GLOBAL_TABLE_PREFIX = "aws:rep:"
"""Attributes that global tables (version 2017) keep for themselves; they never go to a replica (E45)."""


class Dressing(enum.Enum):
    """Which metadata attributes an item gets: fewer, when it would be over DynamoDB's size limit with all (E43)."""

    FULL = "full"
    UNSTAMPED = "without the stamp"
    BARE = "without the stamp and the sequence number"


DRESSINGS = tuple(Dressing)
"""From the fullest on."""


class Shape:
    def __init__(
        self,
        *,
        key_names: tuple[str, ...],
        clock: Clock,
        observer: Observer,
        stamp_attribute: str,
        sequence_attribute: str,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        transform: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
    ) -> None:
        self._key_names = key_names
        self._clock = clock
        self._observer = observer
        self.stamp_attribute = stamp_attribute
        self.sequence_attribute = sequence_attribute
        self.metadata = frozenset(name for name in (stamp_attribute, sequence_attribute) if name)
        self._sequence_only = frozenset((sequence_attribute,) if sequence_attribute else ())
        self._include = frozenset((*include, *key_names)) if include else None
        self._exclude = frozenset(exclude) - frozenset(key_names)
        self._transform = transform
        self._stamped_millisecond = -1
        self._stamp_prefix = b""
        self._number_prefix = msgspec.json.encode(sequence_attribute) + b':{"S":"'
        self._looks_always = transform is not None or bool(include) or bool(self._exclude)
        self._may_need_look = items.finder(sequence_attribute, _GLOBAL_TABLE_PREFIX)
        self._may_have_stamp = items.finder(stamp_attribute)
        self.kept_stamps = 0
        """Items whose own attribute has the stamp's name; they keep it."""

    def is_same(self, projected: Image, replica: Image) -> bool:
        """Whether the replica's item is this projected one, whatever of it is ours.

        The sequence attribute is always ours; the stamp is where the projected item has no attribute of that name.
        """
        return items.same_item(projected, replica, self.ours(projected))

    def ours(self, projected: Image) -> frozenset[str]:
        """The metadata attributes that the replica's item has beside this projected one's."""
        return self._sequence_only if self._has_own_stamp(projected) else self.metadata

    def leaves_out(self, image: Image) -> bool:
        """The item does not belong in the replica. False also for one that the transform can't take."""
        if self._transform is None:
            return False
        try:
            return self.project(image) is None
        except ChangeError:
            return False

    def project(self, image: Image) -> Image | None:
        """What the replica should hold of this item, without metadata; None when the transform leaves it out.

        Raises ChangeError when the transform raises, returns no item, or changes the key.
        """
        if not self._looks_always and not self._may_need_look(image):
            return image
        attributes = items.attributes(image)
        kept = {name: value for name, value in attributes.items() if self._is_wanted(name)}
        if self.sequence_attribute in kept:
            del kept[self.sequence_attribute]
            self._observer.observe(
                Warned(
                    "sequence attribute",
                    f"the source's items have an attribute {self.sequence_attribute!r} of their own, which does not go "
                    "to the replica; set DYNAMIRROR_SEQUENCE_ATTRIBUTE to another name",
                )
            )
        if self._transform is None:
            return image if len(kept) == len(attributes) else items.join(kept)
        return self._transformed(items.join(kept))

    def _is_wanted(self, name: str) -> bool:
        if name.startswith(_GLOBAL_TABLE_PREFIX) or name in self._exclude:
            return False
        return self._include is None or name in self._include

    def _transformed(self, image: Image) -> Image | None:
        assert self._transform is not None
        attributes = items.attributes(image)
        keys = {name: msgspec.json.decode(attributes[name]) for name in self._key_names}
        try:
            after = self._transform(msgspec.json.decode(image))  # its own objects: it may change them as it likes
        except Exception as error:  # the user's code: whatever it raises is this change's fault, and only its
            # The error's own text may hold the item's values, which go into no log.
            raise ChangeError(f"the transform raised {type(error).__name__}") from error
        if after is None:
            return None
        if not isinstance(after, dict):
            raise ChangeError(f"the transform returned {type(after).__name__}, not an item (a dict) or None")
        if {name: after.get(name) for name in self._key_names} != keys:
            raise ChangeError("the transform changed the item's key, which must stay as it is")
        try:
            items.check_values(after)
            return Image(msgspec.json.encode(after))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise ChangeError(f"the transform returned what is no item: {error}") from error

    def dress(self, image: Image, sequence: SequenceNumber | None, dressing: Dressing = Dressing.FULL) -> Image:
        """The item as it is written: a projected image with its metadata attributes in front."""
        stamp = number = b""
        if dressing is Dressing.FULL and self.stamp_attribute:
            if self._has_own_stamp(image):
                self._keep_stamp()
            else:
                stamp = self._stamp()
        if sequence is not None and self.sequence_attribute and dressing is not Dressing.BARE:
            number = b'%b%b"},' % (self._number_prefix, sequence.guard.encode())
        return Image(b"{%b%b%b" % (stamp, number, image[1:])) if stamp or number else image

    def _has_own_stamp(self, image: Image) -> bool:
        return bool(self._may_have_stamp(image)) and self.stamp_attribute in items.attributes(image)

    def _keep_stamp(self) -> None:
        self.kept_stamps += 1
        self._observer.observe(StampKept())
        if self.kept_stamps == 1:
            self._observer.observe(
                Warned(
                    "stamp attribute",
                    f"the source's items have an attribute {self.stamp_attribute!r} of their own: it is kept, and no "
                    "stamp is written there; set DYNAMIRROR_STAMP_ATTRIBUTE to another name",
                )
            )

    def _stamp(self) -> bytes:
        """Milliseconds are enough for people; the text is made once a millisecond."""
        millisecond = int(self._clock.now() * 1000)
        if millisecond != self._stamped_millisecond:
            self._stamped_millisecond = millisecond
            moment = datetime.fromtimestamp(millisecond / 1000, UTC).isoformat(timespec="milliseconds")
            text = moment.replace("+00:00", "Z").encode()
            self._stamp_prefix = b'%b:{"S":"%b"},' % (msgspec.json.encode(self.stamp_attribute), text)
        return self._stamp_prefix
