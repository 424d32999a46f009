"""What counts as a difference between the two tables: pure, the same for every kind of verification."""

from __future__ import annotations

import enum
import hashlib
import zlib
from collections.abc import Iterable

from service.dynamodb_json.items import attributes
from service.errors import ChangeError
from service.model import Image, ItemKey
from service.replication.writing.item_shape import Shape


class Kind(enum.StrEnum):
    MISSING = "missing"
    """In the source only."""
    EXTRA = "extra"
    """In the replica only."""
    DIFFERENT = "different"
    """In both, with different content."""


class Comparison:
    """Judges one key's two items. Metadata attributes do not count; `aws:rep:*` and what is filtered neither.

    An item that the transform leaves out is extra where the replica holds it, an archive included: the source has it,
    and it does not belong. One that the transform can't take differs, as its dead letter says.
    """

    def __init__(self, shape: Shape, *, keeps_extra: bool) -> None:
        """`keeps_extra`: the replica keeps items that the source's TTL removed, so that having more is right."""
        self._shape = shape
        self.keeps_extra = keeps_extra

    async def prepare(self, sources: Iterable[Image | None]) -> None:
        """Let the transform work ahead on these items of the source."""
        await self._shape.prepare(sources)

    def difference(self, source: Image | None, replica: Image | None) -> Kind | None:
        """None when the replica has what it should."""
        if source is None:
            return None if replica is None or self.keeps_extra else Kind.EXTRA
        try:
            expected = self._shape.project(source)
        except ChangeError:
            return Kind.MISSING if replica is None else Kind.DIFFERENT
        if expected is None:
            return None if replica is None else Kind.EXTRA
        if replica is None:
            return Kind.MISSING
        return None if self._is_same(expected, replica) else Kind.DIFFERENT

    def mark_of(self, source: Image | None) -> bytes | None:
        """One of `marks_in_replica` where the replica shows exactly this item of the source; None if it need not."""
        if source is None:
            return None if self.keeps_extra else fingerprint(None)
        try:
            expected = self._shape.project(source)
        except ChangeError:
            return None
        if expected is None:
            return fingerprint(None)
        return fingerprint(expected, self._shape.ours(expected))

    def marks_in_replica(self, replica: Image | None) -> set[bytes]:
        """With the stamp and without it: it is ours, or the source's own."""
        if replica is None:
            return {fingerprint(None)}
        metadata = self._shape.metadata_in(attributes(replica))
        return {fingerprint(replica, metadata), fingerprint(replica, metadata & {self._shape.sequence_attribute})}

    def _is_same(self, expected: Image, replica: Image) -> bool:
        """Nearly all items are the same to the byte, attribute by attribute: only the others' values are decoded."""
        left, right = attributes(expected), attributes(replica)
        for name in self._shape.metadata_in(right) - left.keys():
            right.pop(name, None)
        if left == right:
            return True
        return self._shape.is_same(expected, replica)


def is_in_sample(key: ItemKey, fraction: float) -> bool:
    """The same keys for the same fraction, in both tables and in every process."""
    return zlib.crc32(key) < fraction * 2**32


def fingerprint(image: Image | None, ignoring: frozenset[str] = frozenset()) -> bytes:
    """Equal for equal images, whatever the order of their attributes; `ignoring` attributes of these names."""
    if image is None:
        return b""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(attributes(image).items()):
        if name in ignoring:
            continue
        digest.update(name.encode())
        digest.update(value)
    return digest.digest()
