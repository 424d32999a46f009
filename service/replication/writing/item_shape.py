"""What the replica's item looks like: the source's image, projected, transformed and stamped.

One place for stream, snapshot, verification, replay and Lambda. An image that nothing is configured to change is
never decoded: stamping is a splice of bytes, and every attribute value stays exactly what it was on the wire (I6).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from service.configuration.transform import Transform
from service.dynamodb_json import items
from service.errors import ChangeError
from service.events import Observer, StampKept, Warned
from service.model import Image, SequenceNumber
from service.ports import Clock
from service.replication.writing.metadata import Metadata
from service.replication.writing.transforming import Transforming
from service.side_thread import SideThread

_GLOBAL_TABLE_PREFIX = "aws:rep:"
"""Attributes that global tables (version 2017) keep for themselves; they never go to a replica (E45)."""


_STAMP = re.compile(rb'\s*\{\s*"S"\s*:\s*"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\s*\}\s*')
"""A stamp as this and every other pipeline writes it."""
_TIME = re.compile(rb'\s*\{\s*"S"\s*:\s*"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"\s*\}\s*')
"""What may be the stamp of a replica's item: by what replicated to it before dynamirror, too."""


def is_stamped(image: Image, stamp_attribute: str) -> bool:
    """Whether the item carries a stamp as a pipeline writes it: an item that a snapshot copied carries no number."""
    stamp = items.attributes(image).get(stamp_attribute) if stamp_attribute else None
    return stamp is not None and _STAMP.fullmatch(stamp) is not None


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
        metadata: Metadata,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        transform: Transform | None = None,
        aside: SideThread | None = None,
    ) -> None:
        """`aside` is where the transform runs ahead of its use (`prepare`); without it, it runs on the spot."""
        self._key_names = key_names
        self._clock = clock
        self._observer = observer
        self.written = metadata
        self.stamp_attribute = stamp_attribute = metadata.stamp_attribute
        self.sequence_attribute = sequence_attribute = metadata.sequence_attribute
        self.metadata = frozenset(name for name in (stamp_attribute, sequence_attribute) if name)
        self.is_chained = False
        """Another pipeline has written an item of the source: one was seen."""
        self._sequence_only = frozenset((sequence_attribute,) if sequence_attribute else ())
        self._include = frozenset((*include, *key_names)) if include else None
        self._exclude = frozenset(exclude) - frozenset(key_names)
        self._transforming = (
            Transforming(transform, key_names=key_names, observer=observer, aside=aside) if transform else None
        )
        self._stamped_second = -1
        self._stamp_prefix = b""
        self._number_prefix = msgspec.json.encode(sequence_attribute) + b':{"S":"'
        self._looks_always = transform is not None or bool(include) or bool(self._exclude)
        self._may_need_look = items.finder(sequence_attribute, _GLOBAL_TABLE_PREFIX)
        self._may_have_stamp = items.finder(stamp_attribute)
        self.kept_stamps = 0
        """Items whose own attribute has the stamp's name; they keep it."""

    def is_same(self, projected: Image, replica: Image) -> bool:
        """Whether the replica's item is this projected one, whatever of it is ours.

        The sequence attribute is always ours; the stamp is where the projected item has no attribute of that name, and
        the replica's is a time.
        """
        if projected == replica:
            return True
        return items.same_item(projected, replica, self.ours(projected) & self.metadata_in(items.attributes(replica)))

    def ours(self, projected: Image) -> frozenset[str]:
        """The metadata attributes that the replica's item has beside this projected one's."""
        return self._sequence_only if self._has_own_stamp(projected) else self.metadata

    def metadata_in(self, replica: Mapping[str, msgspec.Raw]) -> frozenset[str]:
        """The metadata attributes of a replica's item, given its attributes: without a stamp that can't be one."""
        stamp = replica.get(self.stamp_attribute)
        return self.metadata if stamp is None or _TIME.fullmatch(stamp) else self._sequence_only

    def leaves_out(self, image: Image) -> bool:
        """The item does not belong in the replica. False also for one that the transform can't take."""
        if self._transforming is None:
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
        filtered = self._filtered(image)
        if self._transforming is None:
            return filtered
        made = self._transforming.of(filtered)
        return made if made is None or not self._may_need_look(made) else self._without_reserved(made)

    @property
    def has_transform(self) -> bool:
        """Worth a `prepare`."""
        return self._transforming is not None

    async def prepare(self, images: Iterable[Image | None]) -> None:
        """Transform these images ahead, beside the event loop, so that `project` need not wait for it."""
        if self._transforming is not None:
            await self._transforming.prepare([self._filtered(image) for image in images if image is not None])

    def _filtered(self, image: Image) -> Image:
        """Without the attributes that don't go to the replica."""
        attributes = items.attributes(image)
        kept = {name: value for name, value in attributes.items() if self._is_wanted(name)}
        if self.sequence_attribute in attributes and not self.is_chained:
            self.is_chained = self.is_replicated(image)
        if self.sequence_attribute in kept:
            self._leave_metadata_out(image, kept)
        return image if len(kept) == len(attributes) else items.join(kept)

    def _without_reserved(self, made: Image) -> Image:
        """The transform's item without the names that are not its to set."""
        attributes = items.attributes(made)
        reserved = {name for name in attributes if name.startswith(_GLOBAL_TABLE_PREFIX)}
        if self.sequence_attribute in attributes:
            self._tell_of_sequence("the transform's items")
            reserved.add(self.sequence_attribute)
        return items.join({name: value for name, value in attributes.items() if name not in reserved})

    def _tell_of_sequence(self, whose: str) -> None:
        self._observer.observe(
            Warned(
                "sequence attribute",
                f"{whose} have an attribute {self.sequence_attribute!r} of their own, which does not go to the "
                "replica; set DYNAMIRROR_SEQUENCE_ATTRIBUTE to another name",
            )
        )

    def is_replicated(self, image: Image) -> bool:
        """A pipeline has written this item of the source: it carries a sequence number where ours would be."""
        return items.sequence_of(image, self.sequence_attribute) is not None

    def _leave_metadata_out(self, image: Image, kept: dict[str, msgspec.Raw]) -> None:
        """The source's own sequence attribute, and the stamp that another pipeline has written with it."""
        del kept[self.sequence_attribute]
        if not self.is_replicated(image):
            self._tell_of_sequence("the source's items")
            return
        stamp = kept.get(self.stamp_attribute)
        if stamp is not None and self.stamp_attribute not in self._key_names and _STAMP.fullmatch(stamp):
            del kept[self.stamp_attribute]  # any other value is data, which that pipeline has kept
        self._observer.observe(
            Warned(
                "chain",
                "another pipeline has written items of the source: in a chain that is right; in a loop of two "
                "pipelines, one each way, stop one of them, since conflicts are not settled (an item that the other "
                "side has already is not written again)",
            )
        )

    def _is_wanted(self, name: str) -> bool:
        if name.startswith(_GLOBAL_TABLE_PREFIX) or name in self._exclude:
            return False
        return self._include is None or name in self._include

    def add_metadata(
        self,
        image: Image,
        sequence: SequenceNumber | None,
        dressing: Dressing = Dressing.FULL,
        stamp: bytes | None = None,
    ) -> Image:
        """The item as it is written: a projected image with its metadata attributes in front.

        `stamp` is one that `stamp()` made just now, for the items of a batch.
        """
        number = b""
        if dressing is not Dressing.FULL or not self.written.has_stamps:
            stamp = b""
        elif self._has_own_stamp(image):
            self._keep_stamp()
            stamp = b""
        elif stamp is None:
            stamp = self.stamp()
        if sequence is not None and self.written.has_numbers and dressing is not Dressing.BARE:
            number = b'%b%040d"},' % (self._number_prefix, sequence)  # as `sequence.guard`
        return Image(b"{%b%b%b" % (stamp, number, image[1:])) if stamp or number else image

    def _has_own_stamp(self, image: Image) -> bool:
        return bool(self._may_have_stamp(image)) and self.stamp_attribute in items.attributes(image)

    def _keep_stamp(self) -> None:
        self.kept_stamps += 1
        self._observer.observe(StampKept())
        if self.kept_stamps == 1:
            whose = "the source's items" if self._transforming is None else "the source's items, or the transform's,"
            self._observer.observe(
                Warned(
                    "stamp attribute",
                    f"{whose} have an attribute {self.stamp_attribute!r} of their own: it is kept, and no "
                    "stamp is written there; set DYNAMIRROR_STAMP_ATTRIBUTE to another name",
                )
            )

    def stamp(self) -> bytes:
        """The metadata attribute that tells the time. Milliseconds are enough for people."""
        second, millisecond = divmod(int(self._clock.now() * 1000), 1000)
        if second != self._stamped_second:
            self._stamped_second = second
            moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            self._stamp_prefix = b'%b:{"S":"%b' % (msgspec.json.encode(self.stamp_attribute), moment)
        return b'%b.%03dZ"},' % (self._stamp_prefix, millisecond)
