"""`dynamirror run`: which pipelines it would run, and what it refuses before it starts."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Shell

FILE = """
[defaults]
source_region = "us-west-2"
replica_region = "eu-central-1"

[pipelines.orders]
source_table = "orders"
replica_table = "orders-replica"

[pipelines.customers]
source_table = "customers"
replica_table = "arn:aws:dynamodb:eu-central-1:123456789012:table/customers"
"""


def lines(text: str) -> list[list[str]]:
    """The words of each line that has some."""
    return [line.split() for line in text.splitlines() if line.strip()]


def test_a_dry_run_prints_the_files_pipelines(shell: Shell) -> None:
    Path("fleet.toml").write_text(FILE)

    assert shell.run("run", "--config", "fleet.toml", "--dry-run") == 0
    assert lines(shell.out) == [
        ["pipeline", "source", "replica"],
        ["orders", "orders", "(us-west-2)", "orders-replica", "(eu-central-1)"],
        ["customers", "customers", "(us-west-2)", "customers", "(eu-central-1)", "(123456789012)"],
        ["pipelines", "that", "would", "run:", "2"],
    ]


def test_a_dry_run_without_a_file_prints_the_one_pipeline(shell: Shell) -> None:
    shell.set(SOURCE_TABLE="orders", REPLICA_TABLE="copy")

    assert shell.run("run", "--dry-run") == 0
    assert ["orders--copy", "orders", "copy"] in lines(shell.out)


def test_every_problem_of_the_file_is_a_line(shell: Shell) -> None:
    shell.set(SOURCE_TABLE="orders")
    Path("fleet.toml").write_text(FILE.replace("copy", "orders-replica") + "lag = 3\nwriters = 0\n")

    for more in ([], ["--dry-run"]):
        assert shell.run("run", "--config", "fleet.toml", *more) == 2
        assert shell.err.splitlines() == [
            "dynamirror: DYNAMIRROR_SOURCE_TABLE: is for one pipeline; unset it beside a file of pipelines",
            "dynamirror: fleet.toml, line 13, pipelines.customers.lag: unknown setting",
            "dynamirror: fleet.toml, line 14, pipelines.customers.writers: Input should be greater than or equal to 1",
        ]


def test_a_file_that_is_not_there_is_one_line(shell: Shell) -> None:
    assert shell.run("run", "--config", "nowhere.toml") == 2
    assert shell.err == "dynamirror: nowhere.toml: there is no such file\n"


def test_beside_lambda_there_is_one_pipeline(shell: Shell) -> None:
    Path("fleet.toml").write_text(FILE)

    assert shell.run("run", "--config", "fleet.toml", "--admin-only") == 2
    assert "--admin-only is for one pipeline" in shell.err
