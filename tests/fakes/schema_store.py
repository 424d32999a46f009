"""A control table's form in memory, for tests of migrations; several processes may share one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self

from service.migrations import Migration, load_migrations
from service.model import KeyAttribute
from service.pipeline_state import AppliedMigration


class FakeSchemaStore:
    """service.ports.SchemaStore. Every call gives other tasks their turn first.

    `crash_at` is the number of the step that raises after it took effect, counted from 1 over all calls.
    """

    def __init__(self) -> None:
        self.table = "control"
        self.present_keys: tuple[KeyAttribute, ...] | None = None
        self.records: dict[int, AppliedMigration] = {}
        self.steps: list[tuple[str, Mapping[str, Any]]] = []
        self.locked_until: dict[str, float] = {}
        self.changes = 0
        self.crash_at: int | None = None

    @classmethod
    def migrated(cls) -> Self:
        """As this version of dynamirror leaves it."""
        store = cls()
        store.present_keys = (KeyAttribute("pipeline", "S"), KeyAttribute("item", "S"))
        for migration in load_migrations():
            store.note(migration)
        return store

    def note(self, migration: Migration) -> None:
        """Somebody has applied it."""
        self.records[migration.number] = AppliedMigration(
            migration.number, migration.name, migration.checksum, 1.0, "somebody"
        )

    async def keys(self) -> tuple[KeyAttribute, ...] | None:
        await asyncio.sleep(0)
        return self.present_keys

    async def apply_step(self, kind: str, arguments: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        self.changes += 1
        self.steps.append((kind, arguments))
        if kind == "create_table":
            self.present_keys = (KeyAttribute("pipeline", "S"), KeyAttribute("item", "S"))
        if len(self.steps) == self.crash_at:
            raise ConnectionResetError("the process is gone")

    async def applied(self) -> list[AppliedMigration]:
        await asyncio.sleep(0)
        assert self.present_keys is not None, "there is no table to read"
        return [self.records[number] for number in sorted(self.records)]

    async def record(self, migration: AppliedMigration) -> None:
        await asyncio.sleep(0)
        self.changes += 1
        self.records.setdefault(migration.number, migration)

    async def lock(self, owner: str, now: float, seconds: float) -> bool:
        await asyncio.sleep(0)
        if any(until >= now for other, until in self.locked_until.items() if other != owner):
            return False
        self.changes += 1
        self.locked_until = {owner: now + seconds}
        return True

    async def unlock(self, owner: str) -> None:
        await asyncio.sleep(0)
        self.locked_until.pop(owner, None)
