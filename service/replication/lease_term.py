"""Builds the flow for one tenure of the lease: from what the control table remembers, or as a first start.

What the former owner left decides what needs the guard: nothing after a clean stop; otherwise every change made
before that process surely stopped writing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from service.configuration.settings import Settings, StartFrom, WriteMode
from service.dynamodb_json.items import sequence_of
from service.errors import GapError, ShardGoneError
from service.events import Observer, Warned
from service.model import Position, ShardId, StartAt, StreamDescription, StreamStatus, TableDescription
from service.pipeline_state import LeaseRecord, PipelineRecord
from service.ports import Adapters
from service.replication.allowance import Allowance
from service.replication.change_queue import ChangeQueue
from service.replication.claim import claim_replica
from service.replication.doubts import Doubts
from service.replication.gaps import MENDS, check_source, still_open, without_progress
from service.replication.guard_window import MARGIN_SECONDS, GuardWindow
from service.replication.lease import LeaseHolder
from service.replication.progress.checkpoints import Checkpoints
from service.replication.progress.progress import Progress
from service.replication.reading.lineage import first_checkpoints
from service.replication.reading.shard_reader import ShardReader
from service.replication.reading.stream_reader import Readers
from service.replication.replicator import Replicator
from service.replication.requests.backoff import Backoff, until_answered
from service.replication.requests.replica_watch import ReplicaWatch, check_replica
from service.replication.writing.fingerprint import remembered, shape_fingerprint, tell
from service.replication.writing.item_shape import is_stamped
from service.replication.writing.write_path import build_write_path, metadata_of

_LOOKED_AT = 25
"""Items of the replica that tell whether somebody replicated to it before."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a tenure starts from."""

    record: PipelineRecord
    at_tip: dict[ShardId, ShardReader]
    """Readers whose iterators are fixed at the tip already: a first start at `latest` or with a snapshot."""
    guarded_until: float
    distrusted_until: float = 0.0
    behind_since: float = 0.0
    """What a former owner knew; 0.0 for a first start."""


class LeaseTerm:
    """One process's way from holding the lease to a running flow; each request on it is made until it is answered."""

    def __init__(
        self,
        *,
        settings: Settings,
        adapters: Adapters,
        source: TableDescription,
        lease: LeaseHolder,
        former: LeaseRecord | None,
        observer: Observer,
        allowance: Allowance | None = None,
    ) -> None:
        self._settings = settings
        self._adapters = adapters
        self._source = source
        self._lease = lease
        self._former = former
        self._observer = observer
        self._allowance = allowance or Allowance.of_one(settings, adapters.clock)
        self._metadata = metadata_of(settings, source, observer)

    async def begin(self, *, heal: bool = False, snapshot_id: str | None = None) -> Beginning:
        """Claim the replica, fence former owners off and find the place to go on from, a first start's saved at once.

        With `heal`, a gap's way out: a new start that needs a snapshot. `snapshot_id` names the job that a start with
        a snapshot counts on; no older one may be taken up for it. Raises GapError when the stream is not the one
        that was read so far, HaltError when it is another table's, ReplicaTakenError, LeaseLostError.
        """
        lease = self._lease.lease
        assert lease is not None
        replica = await self._answer(self._adapters.replica.describe, "replica")
        self._metadata.note(replica)
        await self._answer(lambda: claim_replica(self._adapters, self._source, replica), "control")
        saved = await self._answer(lambda: self._adapters.control.adopt_progress(lease), "control")
        if saved is None and self._lease.has_vanished:
            saved = lost = without_progress(self._adapters.schema.table, self._adapters.clock.now())
            await self._answer(lambda: self._adapters.control.save_progress(lease, lost), "control")
        if saved is None:
            return await self._first_start(StartFrom(self._settings.start_at), snapshot_id, replica)
        if heal:
            return await self._first_start(StartFrom.SNAPSHOT, snapshot_id, replica, saved)
        check_source(saved.stream_arn, self._source.stream_arn or "")
        if saved.gaps and not saved.needs_snapshot:
            raise still_open(saved.gaps[-1])
        if saved.stream_arn != self._source.stream_arn:
            raise GapError(
                f"the stream of {self._source.name} was re-created: it was {saved.stream_arn} and is "
                f"{self._source.stream_arn} now; changes made between them are lost; {MENDS}"
            )
        check_replica(saved.replica_id, replica)
        guarded, distrusted = self._guarded_until(saved)
        saved = await self._shaped(replace(saved, replica_id=saved.replica_id or replica.table_id or None))
        return Beginning(saved, {}, guarded, distrusted, self._behind_since())

    async def _shaped(self, saved: PipelineRecord) -> PipelineRecord:
        """With the fingerprint to keep; that settings are mixed is saved before anything is written under these."""
        lease = self._lease.lease
        assert lease is not None
        kept = remembered(saved.shape_fingerprint, shape_fingerprint(self._settings))
        shaped = replace(saved, shape_fingerprint=kept)
        if shaped != saved:
            await self._answer(lambda: self._adapters.control.save_progress(lease, shaped), "control")
        tell(kept, self._observer)
        return shaped

    def _behind_since(self) -> float:
        """As the former owner told in its lease; one that told nothing was not behind, as far as anybody knows."""
        former = self._former
        return 0.0 if former is None else former.behind_since or former.renewed_at

    def _guarded_until(self, saved: PipelineRecord) -> tuple[float, float]:
        """Changes made before the first moment need the guard, before the second the guard trusts no number."""
        former, now = self._former, self._adapters.clock.now()
        if former is not None and former.is_released and former.is_clean:
            return saved.guarded_until, saved.guarded_until  # what it knew of its window's keys went with it
        if former is None:  # somebody removed the lease by hand
            return max(saved.guarded_until, now + MARGIN_SECONDS), now + MARGIN_SECONDS
        stopped_at = former.renewed_at + former.lease_seconds
        guarded = max(saved.guarded_until, stopped_at + MARGIN_SECONDS)
        was_in_window = saved.guarded_until > former.renewed_at - MARGIN_SECONDS or saved.needs_snapshot
        return guarded, (guarded if was_in_window else 0.0)

    def _remember_doubts(self, doubts: Doubts, saved: PipelineRecord) -> None:
        """What a former owner left in doubt, and what it may have had under way when it died."""
        former = self._former
        if saved.in_doubt is not None:
            doubts.restore(saved.in_doubt)
            if saved.in_doubt.left_out:
                self._observer.observe(
                    Warned(
                        "keys in doubt",
                        f"a former process ended with {saved.in_doubt.left_out} more keys in doubt than are "
                        "remembered: late writes may have taken their items back; a verification with repair finds and "
                        "mends them",
                    )
                )
        if former is not None and not (former.is_released and former.is_clean):
            doubts.after_crash(former.renewed_at if former.is_released else former.renewed_at + former.lease_seconds)

    async def _first_start(
        self,
        start: StartFrom,
        snapshot_id: str | None,
        replica: TableDescription,
        former: PipelineRecord | None = None,
    ) -> Beginning:
        """Fix every shard's position before anything else is done (E65), and save it.

        `former` is what a heal replaces: its gaps are open until the snapshot ends, its doubts outlive it.
        """
        lease = self._lease.lease
        assert lease is not None
        stream = await self._described()
        now = self._adapters.clock.now()
        at = StartAt.TRIM_HORIZON if start is StartFrom.TRIM_HORIZON else StartAt.LATEST
        checkpoints = first_checkpoints(stream.shards, at, now)
        at_tip: dict[ShardId, ShardReader] = {}
        for shard in stream.shards:
            saved = checkpoints.get(shard.shard_id)
            if saved is not None and not saved.is_closed:
                reader = ShardReader(
                    shard,
                    Position(start=StartAt.LATEST, since=now),
                    self._adapters.streams,
                    self._adapters.clock,
                    poll_seconds=self._settings.poll_interval_seconds,
                    limit=self._settings.queue_max_records,
                )
                await self._answer(reader.start_at_tip, "stream")
                at_tip[shard.shard_id] = reader
        guarded = now + MARGIN_SECONDS if await self._replica_has_items(is_new=former is None) else 0.0
        record = PipelineRecord(
            stream_arn=stream.arn,
            checkpoints=checkpoints,
            guarded_until=guarded,
            gaps=former.gaps if former else (),
            in_doubt=former.in_doubt if former else None,
            needs_snapshot=start is StartFrom.SNAPSHOT,
            snapshot_id=snapshot_id if start is StartFrom.SNAPSHOT else None,
            replica_id=replica.table_id or None,
            shape_fingerprint=shape_fingerprint(self._settings),
        )
        await self._answer(lambda: self._adapters.control.save_progress(lease, record), "control")
        tell(shape_fingerprint(self._settings), self._observer)
        return Beginning(record, at_tip, guarded)

    async def _described(self) -> StreamDescription:
        """The stream, once it is there: a stream that was just switched on has no shards for a while (E24)."""
        backoff = Backoff(self._adapters.clock)
        while True:
            try:
                stream = await self._answer(self._adapters.streams.describe, "stream")
            except ShardGoneError as error:
                raise GapError(f"the stream {self._source.stream_arn} does not exist; {MENDS}") from error
            if stream.status is not StreamStatus.ENABLING and stream.shards:
                return stream
            await backoff.wait()

    async def _replica_has_items(self, *, is_new: bool) -> bool:
        """Whether anything was ever written there: on an empty replica no change can have been applied before."""
        page = await self._answer(lambda: self._adapters.replica.scan(0, 1, None, limit=_LOOKED_AT), "replica")
        number, stamp = self._settings.sequence_attribute, self._settings.stamp_attribute
        if is_new and any(sequence_of(each, number) is not None or is_stamped(each, stamp) for _, each in page.items):
            self._observer.observe(
                Warned(
                    "replicated before",
                    "the control table knows nothing of this pipeline, but the replica holds items that were "
                    "replicated before: what changed since is not known; a verification with repair mends it",
                )
            )
        return bool(page.items) or page.next_key is not None

    async def _answer(self, ask: Callable[[], Awaitable[Answer]], target: str) -> Answer:
        return await until_answered(ask, self._adapters.clock, self._observer, target)

    def build(self, beginning: Beginning) -> Replicator:
        """Wire the flow's parts."""
        settings, adapters, observer, clock = self._settings, self._adapters, self._observer, self._adapters.clock
        assert self._lease.lease is not None
        queue = ChangeQueue(settings.queue_max_records, self._allowance.queue_max_bytes)
        progress = Progress(queue.release)
        known = beginning.record.replica_id
        watch = ReplicaWatch(adapters.replica, adapters.control, known, clock, self._metadata.note)
        writing = build_write_path(
            settings=settings,
            adapters=adapters,
            source=self._source,
            window=GuardWindow(
                guards_all=settings.write_mode is WriteMode.STRICT,
                until=beginning.guarded_until,
                distrusted_until=beginning.distrusted_until,
            ),
            settle=progress.settle,
            check_trust=self._lease.check_trust,
            observer=observer,
            watch=watch,
            metadata=self._metadata,
            allowance=self._allowance,
        )
        self._remember_doubts(writing.doubts, beginning.record)
        readers = Readers(
            streams=adapters.streams,
            stream_arn=beginning.record.stream_arn,
            checkpoints=beginning.record.checkpoints,
            progress=progress,
            queue=queue,
            dead_letters=writing.dead_letters,
            clock=clock,
            observer=observer,
            poll_seconds=settings.poll_interval_seconds,
            at_tip=beginning.at_tip,
            behind_since=beginning.behind_since,
        )
        checkpoints = Checkpoints(
            store=adapters.control,
            lease=self._lease.lease,
            record=beginning.record,
            progress=progress,
            window=writing.window,
            doubts=writing.doubts,
            forgotten=readers.take_forgotten,
            listings=readers.listings,
            clock=clock,
            observer=observer,
            interval_seconds=settings.checkpoint_interval_seconds,
        )
        writing.window.save = lambda: writing.requests.read(checkpoints.save_window, "control")
        return Replicator(
            clock=clock,
            lease=self._lease,
            readers=readers,
            queue=queue,
            writing=writing,
            progress=progress,
            checkpoints=checkpoints,
            replica_watch=watch,
        )
