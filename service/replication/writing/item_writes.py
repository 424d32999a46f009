"""Single writes of the replica's items: dressed with metadata, conditional, and noted when their fate is in doubt."""

from __future__ import annotations

from collections.abc import Awaitable

from service.errors import ChangeError, ItemTooLargeError, TransientChangeError
from service.events import Warned
from service.model import Absent, AsSeen, Condition, Delete, Image, ItemKey, Older, Put, Seen, SequenceNumber, Written
from service.replication.writing.item_shape import DRESSINGS, Dressing
from service.replication.writing.write_context import WritePart


class ItemWrites(WritePart):
    """Its calls are serialised per key by the lanes; each is made until it is answered."""

    async def put(
        self,
        key: ItemKey,
        projected: Image,
        sequence: SequenceNumber | None,
        condition: Condition | None,
        dressing: Dressing = Dressing.FULL,
    ) -> Written | Seen:
        """One put, with as many metadata attributes as the replica takes: DynamoDB's size limit, its indexes (E43).

        Raises ChangeError.
        """
        left_out = self._shape.written.left_out
        write = Put(key, self._shape.add_metadata(projected, sequence, dressing))
        try:
            return await self._requested(write, condition)
        except ItemTooLargeError:
            if dressing is Dressing.BARE:
                raise
            self._warn_of_size()
            dressing = DRESSINGS[DRESSINGS.index(dressing) + 1]
        except TransientChangeError:
            raise
        except ChangeError as error:
            # Another time, if the replica was looked at meanwhile: an index is new.
            if self._shape.written.left_out == left_out:
                if write.item == projected or not self._may_be_ours(str(error)):
                    raise
                return await self._put_bare(key, projected, condition)
        return await self.put(key, projected, sequence, condition, dressing)

    async def _put_bare(self, key: ItemKey, projected: Image, condition: Condition | None) -> Written | Seen:
        answer = await self._requested(Put(key, projected), condition)
        self._observer.observe(
            Warned(
                "metadata refused",
                "the replica refuses items for our metadata attributes, and takes them without: look at its indexes",
            )
        )
        return answer

    def _warn_of_size(self) -> None:
        self._observer.observe(
            Warned(
                "item size",
                "an item is so near DynamoDB's limit of 400 KB that it is written without some of the metadata "
                "attributes",
            )
        )

    def _may_be_ours(self, refusal: str) -> bool:
        """The service names the attribute that it refuses, an emulator only the sort: "… mismatch for Index Key"."""
        return refusal.endswith("Index Key") or any(name in refusal for name in self._shape.metadata)

    def _requested(self, write: Put, condition: Condition | None) -> Awaitable[Written | Seen]:
        return self._requests.write(
            lambda: self._replica.put(write, condition),
            _doubtful(write.key, condition),
            is_birth=isinstance(condition, Absent),
        )

    async def delete(self, key: ItemKey, condition: Condition | None) -> Written | Seen:
        return await self._requests.write(
            lambda: self._replica.delete(Delete(key), condition), _doubtful(key, condition)
        )

    async def replace(
        self, key: ItemKey, projected: Image | None, seen: Image | None, sequence: SequenceNumber | None = None
    ) -> bool:
        """Write this if the replica still is as it was seen; None deletes. False, and nothing is done, if it is not."""
        condition = Absent() if seen is None else AsSeen(seen)
        if projected is None:
            return isinstance(await self.delete(key, condition), Written)
        return isinstance(await self.put(key, projected, sequence, condition), Written)


def _doubtful(key: ItemKey, condition: Condition | None) -> ItemKey | None:
    """The key is in doubt when the answer is lost; None where a late effect can take nothing back."""
    return None if isinstance(condition, Older) else key
