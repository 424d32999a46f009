"""Brings the control table to the newest form in schemas/, once, however many processes start together.

A process that replicates does it when the lease is its own: while it stands by, the former version may be at work, and
a new version that does not get so far has changed nothing. Other pipelines of the table may be of the former version
still; so a migration only adds (schemas/README.md, "Upgrades").

A migration is a numbered file of steps, each of which may be done again without harm. So a crash in the middle costs
nothing: whoever starts next does the steps again and records the migration. The lock keeps two from working at once;
if it ran out under a process that was merely slow, both would do the same steps, and the first to record them wins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from service.errors import HaltError, SchemaError
from service.model import KeyAttribute
from service.pipeline_state import AppliedMigration
from service.ports import Clock, SchemaStore

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
"""Beside this package, in a checkout as in an installed wheel. Not importlib.resources: an editable install gives a
folder without an __init__.py a path that it does not take."""
LOCK_SECONDS = 60.0
"""Longer than any step may take; a process that died in a migration holds up the others for as long."""
LOCK_POLL_SECONDS = 0.5
_FILE_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.json")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do to the control table; `kind` is the operation, `arguments` are its own."""

    kind: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {orjson.dumps(self.arguments).decode()}"


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of schemas/. `checksum` is the SHA-256 of its bytes, in hex."""

    number: int
    name: str
    checksum: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


def load_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The migrations that this version of dynamirror ships, by number. Raises HaltError for a broken folder."""
    files = sorted(folder.glob("*.json"))
    migrations = tuple(_parsed(file.name, file.read_bytes()) for file in files)
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)) or not migrations:
        names = ", ".join(str(migration) for migration in migrations)
        raise HaltError(
            f"the migrations in schemas/ must be numbered from 0001 without a gap, found: {names or 'none'}"
        )
    return migrations


def pending(known: Sequence[Migration], applied: Sequence[AppliedMigration]) -> list[Migration]:
    """What is still to be done. Raises SchemaError when the recorded history is not the beginning of the known one."""
    done = {migration.number: migration for migration in applied}
    newer = sorted(done.keys() - {migration.number for migration in known})
    if newer:
        raise SchemaError(
            f"the control table has migration {newer[-1]:04d}_{done[newer[-1]].name}, this dynamirror knows only "
            f"{known[-1]}: refuse to run on a newer schema: upgrade dynamirror"
        )
    for migration in known:
        recorded = done.get(migration.number)
        if recorded is not None and recorded.checksum != migration.checksum:
            raise SchemaError(
                f"migration {migration} was edited after it was applied: its checksum is {migration.checksum}, the "
                f"control table has recorded {recorded.checksum}; restore the file, and put the change into a new one"
            )
    missing = [migration for migration in known if migration.number not in done]
    if missing and missing[0].number < max(done, default=0):
        raise SchemaError(
            f"migration {missing[0]} is not recorded in the control table, but later ones are; "
            "schemas/README.md tells how to look at what is recorded"
        )
    return missing


async def plan(store: SchemaStore, known: Sequence[Migration] | None = None) -> list[Migration]:
    """What `migrate` would do now; changes nothing, and needs no table. Raises HaltError as `migrate` does."""
    known = load_migrations() if known is None else known
    keys = await store.keys()
    if keys is None:
        return list(known)
    expected = _expected_keys(known)
    if keys != expected:
        raise HaltError(
            f"the table {store.table} has the keys {_text(keys)}, a control table has {_text(expected)}: it is a table "
            "of somebody else; name another one in DYNAMIRROR_CONTROL_TABLE"
        )
    return pending(known, await store.applied())


async def prepare(store: SchemaStore, *, clock: Clock, owner: str, known: Sequence[Migration] | None = None) -> None:
    """What a start may do before it has a lease: all on a table that nobody uses yet, nothing on any other.

    On the other it only looks, since a process of the former version may still replicate: what is pending is for who
    has the pipeline's lease. Raises SchemaError for a table of another version, and what `migrate` raises.
    """
    known = load_migrations() if known is None else known
    if len(await plan(store, known)) == len(known):
        await migrate(store, clock=clock, owner=owner, known=known)


async def migrate(
    store: SchemaStore, *, clock: Clock, owner: str, known: Sequence[Migration] | None = None
) -> list[Migration]:
    """Do what is pending and return what this call did; nothing is left to do then, whoever did it.

    `owner` names this process and nobody else. May be called by any number of processes together, and again after a
    crash. Raises HaltError when a person must act, RetryableError as the table's calls do.
    """
    known = load_migrations() if known is None else known
    if await store.keys() is None:
        # Before the lock, which lies in this table; the service itself creates a table only once.
        await store.apply_step(known[0].steps[0].kind, known[0].steps[0].arguments)
    done: list[Migration] = []
    while await plan(store, known):
        if await store.lock(owner, clock.now(), LOCK_SECONDS):
            try:
                done += await _apply_next(store, known, clock, owner)
            finally:
                await store.unlock(owner)
        else:
            await clock.sleep(LOCK_POLL_SECONDS)
    return done


async def _apply_next(store: SchemaStore, known: Sequence[Migration], clock: Clock, owner: str) -> list[Migration]:
    """The migration that was done: none if the last holder of the lock did it, or if the lock ran out meanwhile."""
    migration = next(iter(await plan(store, known)), None)
    if migration is None:
        return []
    for step in migration.steps:
        await store.apply_step(step.kind, step.arguments)
        if not await store.lock(owner, clock.now(), LOCK_SECONDS):
            return []
    await store.record(AppliedMigration(migration.number, migration.name, migration.checksum, clock.now(), owner))
    return [migration]


def _parsed(file_name: str, content: bytes) -> Migration:
    named = _FILE_NAME.fullmatch(file_name)
    if named is None:
        raise HaltError(f"schemas/{file_name} is not named as a migration, such as 0002_what_it_does.json")
    try:
        steps = tuple(
            Step(kind, arguments) for step in orjson.loads(content)["steps"] for kind, arguments in step.items()
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise HaltError(f"schemas/{file_name} can't be read as a migration: {error!r}") from error
    return Migration(int(named["number"]), named["name"], hashlib.sha256(content).hexdigest(), steps)


def _expected_keys(known: Sequence[Migration]) -> tuple[KeyAttribute, ...]:
    """The keys that the first migration creates the table with."""
    table = known[0].steps[0].arguments
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
    return tuple(KeyAttribute(key["AttributeName"], types[key["AttributeName"]]) for key in table["KeySchema"])


def _text(keys: Sequence[KeyAttribute]) -> str:
    return ", ".join(f"{key.name} ({key.type})" for key in keys)
