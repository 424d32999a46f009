"""Which shards may be read: parents before children, and nobody waits for what is gone."""

from __future__ import annotations

from service.model import Position, SequenceNumber, Shard, ShardId, StartAt
from service.replication.reading.lineage import first_checkpoints, readable_shards


def shard(name: str, parent: str | None = None, *, is_open: bool = True) -> Shard:
    return Shard(
        ShardId(name),
        ShardId(parent) if parent else None,
        SequenceNumber(1),
        None if is_open else SequenceNumber(9),
    )


def names(shards) -> list[str]:
    return [found.shard_id for found in shards]


FAMILY = [shard("a", is_open=False), shard("b", "a"), shard("c", "a"), shard("d", "b")]


def test_a_child_waits_until_its_parent_was_read_to_its_end():
    assert names(readable_shards(FAMILY, [])) == ["a"]
    assert names(readable_shards(FAMILY, ["a"])) == ["b", "c"]
    assert names(readable_shards(FAMILY, ["a", "b"])) == ["c", "d"]


def test_a_parent_that_is_not_listed_holds_nothing_back_e17():
    assert names(readable_shards([shard("child", "trimmed")], [], ["trimmed"])) == ["child"]
    assert names(readable_shards([shard("child", "missing")], [])) == []


def test_a_parent_that_is_listed_as_open_counts_as_ended_once_it_was_read_to_its_end_e18():
    assert names(readable_shards([shard("a", is_open=True), shard("b", "a")], ["a"])) == ["b"]


def test_seven_hundred_shards_converge_e22():
    shards = [shard("0", is_open=False)]
    shards += [shard(str(number), str((number - 1) // 2), is_open=False) for number in range(1, 700)]
    ended: list[ShardId] = []
    while readable := readable_shards(shards, ended):
        assert all(found.parent_id is None or found.parent_id in ended for found in readable)
        ended += [found.shard_id for found in readable]
    assert len(ended) == 700


def test_a_start_at_the_trim_horizon_begins_at_the_start_of_every_shard():
    assert first_checkpoints(FAMILY, StartAt.TRIM_HORIZON, 7.0) == {}


def test_a_start_at_the_tip_takes_closed_shards_as_settled_and_remembers_its_moment_e16():
    first = first_checkpoints(FAMILY, StartAt.LATEST, 7.0)
    assert {name: saved.is_closed for name, saved in first.items()} == {"a": True, "b": False, "c": False, "d": False}
    assert first[ShardId("b")].position == Position(start=StartAt.LATEST, since=7.0)
    assert first[ShardId("b")].parent_id == "a"
