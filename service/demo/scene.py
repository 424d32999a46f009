"""What the demo shows at one moment: both tables compared, and the service's status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.demo.changes import Changes, Made
from service.demo.emulator import REPLICA, SOURCE, Item, Tables
from service.operations.documents.status import Status


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
