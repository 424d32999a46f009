"""What the demo shows at one moment: both tables compared, and the service's status."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.demo.emulator import REPLICA, SOURCE, Item, Tables
from service.demo.writer import KEYS
from service.operations.documents.status import Status

SHOWN, SHOWN_OF_OTHERS = 6, 3
"""The writer's, which would push a person's own ones away within seconds, and those of other keys."""


@dataclass(frozen=True, slots=True)
class Made:
    """`value` is None for a removal; `at` in seconds since the epoch."""

    at: float
    event_name: str
    key: str
    value: str | None

    def __str__(self) -> str:
        return f"{self.event_name} {self.key}" + (f" = {self.value}" if self.value is not None else "")


class Changes:
    """Owns what the last look has seen."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._seen: Mapping[str, Item] = {}
        self._of_writer: deque[Made] = deque(maxlen=SHOWN)
        self._of_others: deque[Made] = deque(maxlen=SHOWN_OF_OTHERS)

    def look(self, source: Mapping[str, Item]) -> None:
        """The whole table as it is now, by key."""
        for key in sorted(self._seen.keys() | source.keys()):
            before, after = self._seen.get(key), source.get(key)
            if before != after:
                event_name = "REMOVE" if after is None else "INSERT" if before is None else "MODIFY"
                made = Made(self._now(), event_name, key, None if after is None else _content(after))
                (self._of_writer if key in KEYS else self._of_others).append(made)
        self._seen = source

    @property
    def last(self) -> list[Made]:
        """The newest first."""
        return sorted([*self._of_others, *self._of_writer], key=lambda made: made.at, reverse=True)


def _content(item: Item) -> str:
    """The value, as the demo's own items have one; else everything but the key, as JSON."""
    rest = {name: value for name, value in item.items() if name != "key"}
    value = rest.get("value", {}).get("S")
    return value if len(rest) == 1 and value is not None and value.isprintable() else json.dumps(rest)


@dataclass(frozen=True, slots=True)
class Scene:
    source_items: int
    replica_items: int
    differing: int
    """Keys that are missing, extra or different in the replica: changes on their way."""
    status: Status
    last: tuple[Made, ...]
    """The source's last changes, the newest first."""

    @property
    def is_equal(self) -> bool:
        return self.differing == 0

    @property
    def comparison(self) -> str:
        return "equal" if self.is_equal else f"{self.differing} on their way"


async def look(tables: Tables, changes: Changes, status: Callable[[], Status], ignored: frozenset[str]) -> Scene:
    """Now. `ignored` are the attributes that the service adds to the replica's items."""
    replica = await tables.items(REPLICA)
    source = await tables.items(SOURCE)
    changes.look(source)
    return Scene(
        source_items=len(source),
        replica_items=len(replica),
        differing=count_differing(source, replica, ignored),
        status=status(),
        last=tuple(changes.last),
    )


def count_differing(source: dict[str, Item], replica: dict[str, Item], ignored: frozenset[str]) -> int:
    """Keys whose items differ but for the ignored attributes."""

    def content(item: Item | None) -> Item | None:
        return item and {name: value for name, value in item.items() if name not in ignored}

    return sum(content(source.get(key)) != content(replica.get(key)) for key in source.keys() | replica.keys())
