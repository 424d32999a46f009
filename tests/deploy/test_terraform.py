"""The Terraform module: what it refers to is there, and its rights and its task are the published ones.

Read by a parser of HCL. The provider is not to be had here, so nothing checks the arguments of its resources.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
from structlog.testing import capture_logs

from service.configuration.fleet_file import load_fleet
from service.events import DeadLettered, Halted
from service.observability.log_observer import LogObserver

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MODULE = DEPLOY / "terraform"
EXAMPLE = MODULE / "examples" / "two-tables"
TEXT = "\n".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))


def blocks(folder: Path, kind: str) -> dict[str, Any]:
    """A folder's blocks of a kind, by their names: `variable.name`, `resource.type.name`."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.tf")):
        for block in hcl2.loads(path.read_text()).get(kind, []):
            name, body = next((name, body) for name, body in block.items() if not name.startswith("__"))
            if kind in ("resource", "data"):
                inner, body = next((each, body) for each, body in body.items() if not each.startswith("__"))
                name = f"{name}.{inner}"
            found[name.replace('"', "")] = body
    return found


def names_of_locals(folder: Path) -> set[str]:
    parsed = [hcl2.loads(path.read_text()) for path in sorted(folder.glob("*.tf"))]
    every = [name for file in parsed for block in file.get("locals", []) for name in block if not name.startswith("__")]
    assert len(every) == len(set(every))
    return set(every)


def asked(pattern: str) -> set[str]:
    return set(re.findall(pattern, re.sub(r"(?m)^\s*#.*$", "", TEXT)))


def test_every_reference_has_what_it_names_and_nothing_is_unused() -> None:
    assert asked(r"\bvar\.(\w+)") == blocks(MODULE, "variable").keys()
    assert asked(r"\blocal\.(\w+)") == names_of_locals(MODULE)
    assert asked(r"\bdata\.(\w+\.\w+)") == blocks(MODULE, "data").keys()
    resources = asked(r"(?<![\w.\"])(aws_\w+\.\w+)") - blocks(MODULE, "data").keys()
    assert resources <= blocks(MODULE, "resource").keys()


def test_every_variable_and_output_says_what_it_is_and_has_a_type() -> None:
    for name, body in blocks(MODULE, "variable").items():
        assert body["description"].strip('"').endswith("."), name
        assert body["type"], name
    assert all(body["description"] for body in blocks(MODULE, "output").values())


def test_the_example_gives_what_the_module_needs_and_nothing_it_does_not_know() -> None:
    variables = blocks(MODULE, "variable")
    (call,) = blocks(EXAMPLE, "module").values()
    given = {name for name in call if not name.startswith("__")} - {"source"}
    assert given <= variables.keys()
    assert {name for name, body in variables.items() if "default" not in body} <= given
    text = (EXAMPLE / "main.tf").read_text()
    assert set(re.findall(r"module\.dynamirror\.(\w+)", text)) <= blocks(MODULE, "output").keys()
    assert set(re.findall(r"\bvar\.(\w+)", text)) == blocks(EXAMPLE, "variable").keys()


def test_the_rights_are_the_published_documents_and_no_action_is_written_down_here() -> None:
    named = asked(r'"((?:container|optional)-[\w-]+)"')
    for_container = {path.stem for path in (DEPLOY / "iam").glob("*.json")} - {
        "lambda",  # the function's
        "optional-pause-lambda",
        "ecs-execution",
    }
    assert named == for_container
    actions = asked(r'"([a-z0-9-]+:[A-Z]\w+)"')
    assert actions == {"sts:AssumeRole", "aws:SourceAccount"}
    statements = [
        each for name in named for each in json.loads((DEPLOY / "iam" / f"{name}.json").read_text())["Statement"]
    ]
    sids = [each["Sid"] for each in statements]
    assert len(sids) == len(set(sids))  # they become one policy
    words = {word for each in statements for word in re.findall(r"[A-Z]+_[A-Z]+", each["Resource"])}
    assert words == asked(r'"([A-Z]+_(?:REGION|ACCOUNT|TABLE))"')


def test_the_execution_role_has_a_resource_for_each_statement() -> None:
    resources = re.search(r"execution_resources = \{(.*?)\n  \}", TEXT, re.DOTALL)
    assert resources is not None
    statements = json.loads((DEPLOY / "iam" / "ecs-execution.json").read_text())["Statement"]
    assert set(re.findall(r"^    (\w+) +=", resources[1], re.MULTILINE)) == {each["Sid"] for each in statements}


def test_the_task_is_that_of_the_task_definition() -> None:
    files = {MODULE / path for path in asked(r'file\("\$\{path\.module\}/([^"$]+)"\)')}
    assert files == {MODULE / "../ecs/task-definition.json", MODULE / "../iam/ecs-execution.json"}
    (container,) = json.loads((DEPLOY / "ecs" / "task-definition.json").read_text())["containerDefinitions"]
    secrets = {each["name"] for each in container["secrets"]}
    assert asked(r'\{ name = "(\w+)", valueFrom') == secrets
    for each in ("admin", "read"):
        assert f"${{var.tokens_secret_arn}}:{each}::" in TEXT


def test_a_changed_file_is_another_task() -> None:
    """ECS looks at the parameter only when a task starts."""
    assert 'dockerLabels = { "dynamirror.pipelines" = sha256(local.fleet) }' in TEXT


def test_the_file_is_one_that_the_product_takes(tmp_path: Path) -> None:
    """As the module writes it for the example: JSON's values, names in quotes, settings as text."""
    (tmp_path / "fleet.toml").write_text(
        '[defaults]\ncontrol_table = "dynamirror-control"\ncreate_replica = true\nreplica_region = "eu-central-1"\n'
        'source_region = "us-west-2"\nmax_writes_per_second = "100.5"\n\n'
        '[pipelines."customers"]\nsource_table = "customers"\nreplica_table = "customers-replica"\nwriters = "32"\n\n'
        '[discover]\nsource_tables = ["prod-*"]\nsource_tags = {"replicate" = "yes"}\n'
        'replica_table = "{source_table}-replica"\n'
    )
    file = load_fleet(tmp_path / "fleet.toml", {})
    assert file.process.max_writes_per_second == 100.5
    assert file.pipelines["customers"].writers == 32
    assert file.discover is not None
    lines = asked(r'"(\w+) = \$\{jsonencode')
    assert lines == {"source_table", "replica_table", "source_tables"}


@pytest.mark.parametrize(
    ("event", "name"),
    [(Halted("a reason"), "failed"), (DeadLettered("id", None, None, None, "too large", 1), "dead letter")],
)
def test_an_alarm_counts_lines_that_the_log_has(event: DeadLettered | Halted, name: str) -> None:
    with capture_logs() as lines:
        LogObserver().observe(event)
    assert [line["event"] for line in lines] == [name]
    assert name in asked(r'event  = "([^"]+)"')


def test_no_task_at_all_is_an_alarm() -> None:
    alarms = blocks(MODULE, "resource")
    missing = {name: each["treat_missing_data"] for name, each in alarms.items() if "metric_alarm" in name}
    assert missing == {
        "aws_cloudwatch_metric_alarm.tasks": '"breaching"',
        "aws_cloudwatch_metric_alarm.event": '"notBreaching"',
    }
