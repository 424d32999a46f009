"""Pipelines of one file that can't be beside each other: one replica, cycles, too many readers."""

from __future__ import annotations

from tests.support.fleet_files import Load, Problems


def pipeline(name: str, source: str, replica: str, **more: str) -> str:
    given = {"source_table": source, "replica_table": replica, **more}
    return "\n".join([f"[pipelines.{name}]", *(f'{key} = "{value}"' for key, value in given.items()), ""])


def test_two_pipelines_can_not_have_one_replica(problems: Problems) -> None:
    assert problems(pipeline("a", "aaa", "copy") + pipeline("b", "bbb", "copy")) == [
        "fleet.toml, line 4, pipelines.b: its replica copy is the one of a; a replica belongs to one pipeline"
    ]


def test_a_replica_of_the_same_name_elsewhere_is_another_one(load: Load) -> None:
    elsewhere = [
        {"replica_region": "eu-west-1"},
        {"replica_profile": "writer"},
        {"replica_role_arn": "arn:aws:iam::111111111111:role/writer"},
        {"replica_endpoint_url": "http://localhost:8000"},
    ]
    text = [pipeline(f"p{number}", f"aa{number}", "copy", **more) for number, more in enumerate([{}, *elsewhere])]

    assert len(load("".join(text)).pipelines) == 5


def test_a_copy_between_accounts_keeps_its_name(load: Load) -> None:
    load(pipeline("a", "orders", "arn:aws:dynamodb:us-west-2:111111111111:table/orders", source_region="us-west-2"))


def test_a_cycle_is_told_whatever_its_length(problems: Problems) -> None:
    tables = ["aaa", "bbb", "ccc", "aaa"]
    ring = [pipeline(f"from-{source}", source, replica) for source, replica in zip(tables, tables[1:], strict=False)]
    text = pipeline("into", "zzz", "yyy") + "".join(ring) + pipeline("out", "ccc", "out")

    assert problems(text) == [
        "fleet.toml, line 4, pipelines.from-aaa: from-bbb, from-ccc, from-aaa make a cycle: bbb → ccc → aaa → bbb"
    ]


def test_two_cycles_are_two_problems(problems: Problems) -> None:
    pairs = [("aaa", "bbb"), ("bbb", "aaa"), ("ccc", "ddd"), ("ddd", "ccc")]
    found = problems("".join(pipeline(f"p{number}", *pair) for number, pair in enumerate(pairs)))

    assert len(found) == 2


def test_a_chain_is_no_cycle(load: Load) -> None:
    load(pipeline("a", "aaa", "bbb") + pipeline("b", "bbb", "ccc") + pipeline("c", "aaa", "ddd"))


def test_a_stream_has_two_readers_at_most(problems: Problems, load: Load) -> None:
    names = ["copy-1", "copy-2", "copy-3", "copy-4"]
    load("".join(pipeline(name, "aaa", name) for name in names[:2]))

    assert problems("".join(pipeline(name, "aaa", name) for name in names)) == [
        "fleet.toml, line 7, pipelines.copy-3: copy-1 and copy-2 read the stream of aaa already; "
        "a stream has at most 2 readers"
    ]


def test_a_pipeline_with_another_fault_counts_among_the_others(problems: Problems) -> None:
    assert len(problems(pipeline("a", "aaa", "bbb", writers="0") + pipeline("b", "bbb", "aaa"))) == 2
