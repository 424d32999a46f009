"""The way of a change from a lane to the replica, wired: the same for the running service and for Lambda."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.configuration.settings import Settings
from service.configuration.transform import load_transform
from service.events import Observer
from service.model import TableDescription
from service.ports import Adapters
from service.replication.allowance import Allowance
from service.replication.dead_letters import DeadLetters
from service.replication.doubts import Doubts
from service.replication.guard_window import GuardWindow
from service.replication.requests.replica_watch import ReplicaWatch
from service.replication.requests.retrying import ReplicaFitness, Requests
from service.replication.requests.write_gate import WriteLimiter
from service.replication.writing.guard import Guard
from service.replication.writing.item_shape import Shape
from service.replication.writing.lanes import Lanes
from service.replication.writing.metadata import Metadata
from service.replication.writing.scan_copier import Copier
from service.replication.writing.second_looks import SecondLooks
from service.replication.writing.sink import Settle, Sink
from service.replication.writing.write_context import WriteContext


@dataclass(frozen=True, slots=True)
class WritePath:
    lanes: Lanes
    sink: Sink
    guard: Guard
    copier: Copier
    window: GuardWindow
    doubts: Doubts
    second_looks: SecondLooks
    dead_letters: DeadLetters
    requests: Requests
    gate: WriteLimiter
    shape: Shape


def build_write_path(
    *,
    settings: Settings,
    adapters: Adapters,
    source: TableDescription,
    window: GuardWindow,
    settle: Settle,
    check_trust: Callable[[], None],
    observer: Observer,
    watch: ReplicaWatch | None = None,
    metadata: Metadata | None = None,
    allowance: Allowance | None = None,
) -> WritePath:
    """`settle` is told of changes that are settled; `check_trust` raises LeaseLostError when nothing may be written.

    `watch` knows the replica that was written so far.
    """
    clock, replica = adapters.clock, adapters.replica
    metadata = metadata or metadata_of(settings, source, observer)
    allowance = allowance or Allowance.of_one(settings, clock)
    gate = WriteLimiter(
        clock,
        writers=settings.writers,
        ceiling=allowance.writes,
        turns=allowance.turns,
        check_trust=check_trust,
    )
    doubts = Doubts(clock, lease_seconds=settings.lease_seconds)
    requests = Requests(
        clock=clock,
        gate=gate,
        observer=observer,
        max_attempts=settings.max_attempts,
        fitness=ReplicaFitness(replica, source.keys, clock, metadata.note),
        doubts=doubts,
        watch=watch,
    )
    shape = shape_of(settings, source, adapters, observer, metadata)
    context = WriteContext(
        source=adapters.source,
        replica=replica,
        shape=shape,
        window=window,
        requests=requests,
        doubts=doubts,
        clock=clock,
        observer=observer,
        is_archive=settings.skip_ttl_deletes,
    )
    guard = Guard(context)
    dead_letters = DeadLetters(store=adapters.control, requests=requests, clock=clock, observer=observer)
    sink = Sink(context, guard, dead_letters, settle)
    lanes = Lanes(settings.writers, sink)
    return WritePath(
        lanes=lanes,
        sink=sink,
        guard=guard,
        copier=Copier(context, guard),
        window=window,
        doubts=doubts,
        second_looks=SecondLooks(context, guard, lanes),
        dead_letters=dead_letters,
        requests=requests,
        gate=gate,
        shape=shape,
    )


def metadata_of(settings: Settings, source: TableDescription, observer: Observer) -> Metadata:
    """What is configured; a description of the replica tells what of it can be written."""
    return Metadata(
        stamp_attribute=settings.stamp_attribute,
        sequence_attribute=settings.sequence_attribute,
        keys=source.keys,
        observer=observer,
    )


def shape_of(
    settings: Settings, source: TableDescription, adapters: Adapters, observer: Observer, metadata: Metadata
) -> Shape:
    """The shape of the replica's items, as configured."""
    return Shape(
        key_names=tuple(key.name for key in source.keys),
        clock=adapters.clock,
        observer=observer,
        metadata=metadata,
        include=settings.include_attributes,
        exclude=settings.exclude_attributes,
        transform=load_transform(settings.transform) if settings.transform else None,
        aside=adapters.aside,
    )
