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


HERE = 'source_region = "us-west-2"\nreplica_region = "us-west-2"\n'


def arn(name: str, account: str = "1" * 12, region: str = "us-west-2") -> str:
    return f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def test_one_pair_is_not_named_once_by_names_and_once_by_arns(problems: Problems) -> None:
    by_name = f"[defaults]\n{HERE}" + pipeline("by-name", "orders", "copies")
    why = (
        "may copy what by-name copies, to where it does: one of them has a table's name, the other its ARN; "
        "if the tables are in two accounts, give both by ARN"
    )
    for tables in [("orders", arn("copies")), (arn("orders"), arn("copies"))]:
        assert problems(by_name + pipeline("by-arn", *tables)) == [f"fleet.toml, line 7, pipelines.by-arn: {why}"]


def test_one_pair_that_is_named_twice_in_one_way_is_told_once(problems: Problems) -> None:
    for tables in [("orders", "copies"), (arn("orders"), arn("copies"))]:
        (problem,) = problems(pipeline("a", *tables) + pipeline("b", *tables))
        assert problem.endswith("is the one of a; a replica belongs to one pipeline")


def test_a_name_and_an_arn_that_lead_elsewhere_are_two_pairs(load: Load) -> None:
    role = {"replica_role_arn": f"arn:aws:iam::{'3' * 12}:role/writer"}
    text = [
        f"[defaults]\n{HERE}",
        pipeline("by-name", "orders", "copies"),
        pipeline("another-source", "returns", arn("copies")),
        pipeline("another-region", "orders", arn("copies", region="eu-west-1")),
        pipeline("by-a-profile", "more", arn("copies", "2" * 12), replica_profile="writer"),
        pipeline("by-no-profile", "more", "copies-of-more"),
        pipeline("by-a-role", "third", "copies", **role),
        pipeline("of-another-account", "third", arn("copies", "4" * 12), **role),
        pipeline("by-arn", arn("fourth"), arn("fourth-copy")),
        pipeline("by-another-arn", arn("fourth"), arn("fourth-copy", "2" * 12)),
        pipeline("of-one-account", arn("fifth"), "fifth-copy"),
        pipeline("of-a-second-account", arn("fifth", "2" * 12), arn("fifth-copy")),
    ]

    assert len(load("".join(text)).pipelines) == len(text) - 1


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
