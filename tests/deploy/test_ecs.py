"""The ECS task definitions: valid, and without rights that they do not need."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tests.support.deploy_files import (
    DEPLOY,
    DOCKERFILE,
    ONE_TASK,
    ONE_TASK_CONTAINER,
    TASK,
    TASK_CONTAINER,
    of_task,
    own,
)

MEMORY_OF_CPU = {"256": range(512, 2049), "512": range(1024, 4097), "1024": range(2048, 8193)}
"""Fargate's pairs (Developer Guide of ECS, "Task definition parameters for Fargate": task size)."""


# ECS


@pytest.mark.parametrize("task", [TASK, ONE_TASK], ids=["fleet", "one"])
def test_the_task_definition_is_one_that_ecs_takes(task: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    report = ParamValidator().validate(task, model.input_shape)
    assert report.generate_report() == ""


def test_the_task_has_a_size_that_fargate_has() -> None:
    assert TASK["requiresCompatibilities"] == ["FARGATE"]
    assert TASK["networkMode"] == "awsvpc"
    assert int(TASK["memory"]) in MEMORY_OF_CPU[TASK["cpu"]]


def test_the_task_may_nothing_that_it_does_not_need() -> None:
    assert f"\nUSER {TASK_CONTAINER['user']}\n" in DOCKERFILE
    assert TASK_CONTAINER["readonlyRootFilesystem"] is True
    assert TASK_CONTAINER["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}


def test_ecs_replaces_only_a_task_that_is_not_alive() -> None:
    """Unlike a probe of readiness, a failed health check ends the task: it would not mend a gap."""
    way, *command = TASK_CONTAINER["healthCheck"]["command"]
    in_image = json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    assert way == "CMD"
    assert command == [*in_image, "/healthz"]


def test_the_task_for_one_table_is_the_same_without_the_file() -> None:
    of_file = {"entryPoint", "command", "environment", "secrets"}
    for whole in (TASK, ONE_TASK):
        assert whole.keys() == TASK.keys()
    assert {name: TASK[name] for name in TASK if name != "containerDefinitions"} == {
        name: ONE_TASK[name] for name in TASK if name != "containerDefinitions"
    }
    same = TASK_CONTAINER.keys() - of_file
    assert ONE_TASK_CONTAINER.keys() == same | {"environment", "secrets"}
    assert {name: TASK_CONTAINER[name] for name in same} == {name: ONE_TASK_CONTAINER[name] for name in same}
    assert own(of_task(TASK_CONTAINER)).items() <= of_task(ONE_TASK_CONTAINER).items()


def test_the_task_writes_its_parameter_to_the_file_that_it_runs(tmp_path: Path) -> None:
    """By a real shell, in which the command only shows what it was given: a disk in memory is all it may write to."""
    shown = tmp_path / "dynamirror"
    shown.write_text('#!/bin/sh\necho "$@"; cat "$3"\n')
    shown.chmod(0o755)
    text = (DEPLOY / "ecs" / "fleet.toml").read_text() + "# 100 % \\n $HOME `x`"
    (script,) = TASK_CONTAINER["command"]
    script = script.replace("/dev/shm", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "FLEET_TOML": text}
    assert "FLEET_TOML" in {one["name"] for one in TASK_CONTAINER["secrets"]}
    done = subprocess.run([*TASK_CONTAINER["entryPoint"], script], env=environment, capture_output=True, check=True)
    assert done.stdout.decode() == f"run --config {tmp_path}/fleet.toml\n{text}"
    assert "exec dynamirror" in script  # or the shell would be process 1, and keep the signals
