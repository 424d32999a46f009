"""The flow's parts on a workbench: a world, a write path on it, and what they told."""

from __future__ import annotations

from typing import Any

from service.configuration.settings import load_settings
from service.events import ChangesSettled, Event
from service.model import Change, Effect, Image, ItemKey, SequenceNumber, ShardId
from service.replication.guard_window import GuardWindow
from service.replication.writing.write_path import WritePath, build_write_path
from tests.fakes.clock import EPOCH
from tests.fakes.images import image_of, key_of
from tests.fakes.world import Process, World

SHARD = ShardId("shard-1")


def item(key: str, value: str, **more: Any) -> dict[str, Any]:
    return {"key": {"S": key}, "value": {"S": value}, **more}


def key(name: str) -> ItemKey:
    return key_of({"key": {"S": name}})


def change(name: str, number: int, value: str | None = "1", *, shard: ShardId = SHARD, **more: Any) -> Change:
    """A put, or with the value None a delete; made when the clocks of the tests begin."""
    image = None if value is None else image_of(item(name, value))
    fields = {
        "shard_id": shard,
        "sequence": SequenceNumber(number),
        "effect": Effect.DELETE if value is None else Effect.PUT,
        "key": key(name),
        "image": image,
        "created_at": EPOCH,
        "size": 10,
        "event_name": "REMOVE" if value is None else "MODIFY",
    }
    return Change(**(fields | more))


class Log:
    """An observer that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def settled(self, count: str) -> int:
        """One of the counts of ChangesSettled, summed."""
        return sum(getattr(event, count) for event in self.of(ChangesSettled))


class Bench:
    """`settings` by their names in lower case; `guarded_until` and the like are the guard window's."""

    def __init__(self, world: World | None = None, window: GuardWindow | None = None, **settings: str) -> None:
        self.world = world or World()
        self.process: Process = self.world.process()
        self.log = Log()
        self.settled: list[Change] = []
        self.window = window or GuardWindow(guards_all=False)
        self._settings = settings

    async def open(self, **more: Any) -> WritePath:
        """`more` is given to `build_write_path`."""
        named = {"source_table": "master-table", "replica_table": "replica-table", **self._settings}
        ports = self.process
        return build_write_path(
            settings=load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in named.items()}),
            adapters=ports.adapters,
            source=await self.world.source.describe(),
            window=self.window,
            settle=self.settled.extend,
            check_trust=lambda: None,
            observer=self.log,
            **more,
        )

    def put(self, name: str, value: str, **more: Any) -> Change:
        """Write to the source; its change, as the stream shows it."""
        self.world.source.put(item(name, value, **more))
        return self.newest()

    def delete(self, name: str, *, is_ttl: bool = False) -> Change:
        self.world.source.delete({"key": {"S": name}}, is_ttl=is_ttl)
        return self.newest()

    def newest(self) -> Change:
        records = [record for shard in self.world.source.stream.shards.values() for record in shard.records]
        content = max(records, key=lambda record: record.sequence).content
        assert isinstance(content, Change)
        return content

    def held(self, name: str) -> dict[str, Any] | None:
        """The replica's item without its metadata."""
        found = self.world.replica.item({"key": {"S": name}})
        metadata = ("timestamp", "dynamirror_sequence")
        return None if found is None else {field: value for field, value in found.items() if field not in metadata}

    def number(self, name: str) -> str | None:
        """The sequence number that the replica's item carries."""
        found: Any = self.world.replica.item({"key": {"S": name}}) or {}
        return found.get("dynamirror_sequence", {}).get("S")

    @property
    def letters(self) -> list[Any]:
        return list(self.world.control.of("source--replica").letters.values())


def image(name: str, value: str) -> Image:
    return image_of(item(name, value))
