"""Which pipelines can't run beside each other in one process, or at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from service.configuration.settings import Settings
from service.configuration.sides import Side, TableIdentity

# Developer Guide, "DynamoDB Streams and Lambda triggers": no more than two processes read a shard at the same time.
READERS = 2
CALLS = frozenset(
    {
        *("healthz", "readyz", "status", "history", "settings", "metrics", "pause", "resume", "replicate"),
        *("replay", "replays", "snapshot", "snapshots", "verify", "verifications", "redrives", "dead-letters"),
    }
)
"""What a pipeline's path in the admin API goes on with."""


def conflicts(pipelines: Mapping[str, Settings]) -> list[tuple[str, str]]:
    """The name of a pipeline, and why it can't be: for each that shares what only one may have, and for each cycle."""
    return [*_paths(pipelines), *_replicas(pipelines), *_pairs(pipelines), *_readers(pipelines), *_cycles(pipelines)]


def _paths(pipelines: Mapping[str, Settings]) -> Iterator[tuple[str, str]]:
    """A name with a slash, whose path in the API is one of another pipeline's calls."""
    for name in pipelines:
        parts = name.split("/")
        for count in range(1, len(parts)):
            other = "/".join(parts[:count])
            if other in pipelines and parts[count] in CALLS:
                yield name, f"/pipelines/{name} would be a call of {other} too; give one of the two another name"


def _replicas(pipelines: Mapping[str, Settings]) -> Iterator[tuple[str, str]]:
    first: dict[TableIdentity, str] = {}
    for name, settings in pipelines.items():
        replica = settings.side("replica").identity
        if replica in first:
            yield name, f"its replica {replica} is the one of {first[replica]}; a replica belongs to one pipeline"
        first.setdefault(replica, name)


def _pairs(pipelines: Mapping[str, Settings]) -> Iterator[tuple[str, str]]:
    """By a table's name and by its ARN: who asks the same way in the same region most likely has one table."""
    alike: dict[tuple[Side, ...], list[tuple[str, Side, Side]]] = defaultdict(list)
    for name, settings in pipelines.items():
        source, replica = settings.side("source"), settings.side("replica")
        former = alike[tuple(replace(side, table=side.identity.name) for side in (source, replica))]
        for other, *sides in former:
            may_be_one = source.identity.may_be(sides[0].identity) and replica.identity.may_be(sides[1].identity)
            if may_be_one and replica.identity != sides[1].identity:  # an equal one is told already
                yield (
                    name,
                    f"may copy what {other} copies, to where it does: one of them has a table's name, the other its "
                    "ARN; if the tables are in two accounts, give both by ARN",
                )
                break
        former.append((name, source, replica))


def _readers(pipelines: Mapping[str, Settings]) -> Iterator[tuple[str, str]]:
    readers: dict[TableIdentity, list[str]] = defaultdict(list)
    for name, settings in pipelines.items():
        source = settings.side("source").identity
        readers[source].append(name)
        if len(readers[source]) == READERS + 1:
            others = " and ".join(readers[source][:READERS])
            yield name, f"{others} read the stream of {source} already; a stream has at most {READERS} readers"


def _cycles(pipelines: Mapping[str, Settings]) -> Iterator[tuple[str, str]]:
    """Each once, at the first pipeline of it. A table is the replica of one pipeline: the way back has no forks."""
    into = {settings.side("replica").identity: name for name, settings in reversed(list(pipelines.items()))}
    told: set[str] = set()
    for name in pipelines:
        way = [name]
        while (before := into.get(pipelines[way[-1]].side("source").identity)) and before not in (*way, *told):
            way.append(before)
        if before == name:
            names = list(reversed(way))
            tables = [pipelines[each].side("source").identity.name for each in names]
            yield name, f"{', '.join(names)} make a cycle: {' → '.join([*tables, tables[0]])}"
            told.update(way)
