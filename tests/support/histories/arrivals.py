"""What of the source's stream has reached the replica, found out without asking the service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from service.model import Change, Image, Unreadable
from service.pipeline_state import Lease, PipelineRecord
from tests.fakes.images import Content, content_of, image_of, item_of
from tests.fakes.shards import FakeShard, Record
from tests.fakes.world import World
from tests.support.invariants import Expected


class Watch:
    """Judges single records: has the replica shown what this record, or a later one of its key, brings?"""

    def __init__(
        self, world: World, expected: Expected = lambda item: item, metadata: Iterable[str] = ("timestamp",)
    ) -> None:
        self._world = world
        self._expected = expected
        self._metadata = {*metadata, world.replica.sequence_attribute} - {""}

    def has_letter(self, content: Change | Unreadable) -> bool:
        """Its own, or one of a later record of its key: there is one for one cause, the newest."""
        found = [letter for kept in self._world.control.pipelines.values() for letter in _letters(kept)]
        sequences = [letter.sequence for letter in found if letter.key == content.key and letter.sequence is not None]
        return content.sequence is not None and any(sequence >= content.sequence for sequence in sequences)

    def is_settled(self, record: Record) -> bool:
        """Applied, superseded, or a dead letter.

        What the source itself has moved on from is superseded: the guard leaves it to the later record.
        """
        content = record.content
        if self.has_letter(content):
            return True
        return isinstance(content, Change) and (self._is_superseded(content) or self._has_arrived(content))

    def _is_superseded(self, change: Change) -> bool:
        newest = self._world.source.history[change.key][-1].sequence
        return newest is not None and newest > change.sequence

    def _has_arrived(self, change: Change) -> bool:
        held = content_of(self._world.replica.items.get(change.key), self._metadata)
        later = [
            state.image
            for state in self._world.source.history[change.key]
            if state.sequence is not None and state.sequence >= change.sequence
        ]
        return any(self._shows(held, image) for image in later)

    def _shows(self, held: Content | None, image: Image | None) -> bool:
        if image is None:
            return held is None
        shaped = self._expected(item_of(image))
        return shaped is None or content_of(image_of(shaped), self._metadata) == held

    def unsettled(self, *, seen_before: float) -> list[Record]:
        """Records that the stream showed before that moment, and that have not reached the replica."""
        return [
            record
            for shard in self._world.source.stream.shards.values()
            for record in shard.records
            if record.visible_at <= seen_before and not self.is_settled(record)
        ]

    def check_checkpoints(self, saved: PipelineRecord) -> None:
        """I2: no checkpoint passes a record that is neither applied nor stored.

        What a late write took back of a key in doubt is mended by whoever remembers the key, a successor too.
        """
        in_doubt = saved.in_doubt.keys if saved.in_doubt is not None else ()
        for shard_id, checkpoint in saved.checkpoints.items():
            shard = self._world.source.stream.shards.get(shard_id)
            for record in shard.records if shard else []:
                is_behind = checkpoint.is_closed or record.content.sequence <= (checkpoint.position.after or 0)
                is_doubtful = isinstance(record.content, Change) and record.content.key in in_doubt
                assert not is_behind or is_doubtful or self.is_settled(record), (
                    f"the checkpoint {checkpoint} passes {record.content}, which has not reached the replica"
                )


class WatchedControl:
    """A control table on which every checkpoint is judged at the moment it is saved."""

    def __init__(self, port: Any, watch: Watch, breaches: list[AssertionError]) -> None:
        self._port = port
        self._watch = watch
        self._breaches = breaches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def save_progress(self, lease: Lease, record: PipelineRecord) -> None:
        if not record.needs_snapshot:  # until then the snapshot, too, has to bring what is behind the checkpoints
            try:
                self._watch.check_checkpoints(record)
            except AssertionError as breach:  # an error here would be the flow's to wait out
                self._breaches.append(breach)
        await self._port.save_progress(lease, record)


def unreadable_records(shards: Iterable[FakeShard]) -> list[Unreadable]:
    return [record.content for shard in shards for record in shard.records if isinstance(record.content, Unreadable)]


def _letters(pipeline: Any) -> Iterable[Any]:
    return pipeline.letters.values()
