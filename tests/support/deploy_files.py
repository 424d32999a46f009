"""The files of deploy/, parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from service.configuration.environment import PREFIX

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
MANIFESTS = {document["kind"]: document for path in KUBERNETES for document in yaml.safe_load_all(path.read_text())}
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
TASK = json.loads((DEPLOY / "ecs" / "task-definition.json").read_text())
(TASK_CONTAINER,) = TASK["containerDefinitions"]
ONE_TASK = json.loads((DEPLOY / "ecs" / "one-table.json").read_text())
(ONE_TASK_CONTAINER,) = ONE_TASK["containerDefinitions"]
ONE_SERVICE = yaml.safe_load((DEPLOY / "compose" / "one-table.yaml").read_text())["services"]["dynamirror"]
PATCH = yaml.safe_load((DEPLOY / "kubernetes" / "one-table" / "patch.yaml").read_text())
(PATCHED,) = PATCH["spec"]["template"]["spec"]["containers"]


def of_pod(*containers: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "from-the-secret") for container in containers for one in container["env"]}


def of_task(container: dict[str, Any]) -> dict[str, str]:
    given = {one["name"]: one["value"] for one in container["environment"]}
    return given | {one["name"]: "from-the-secret" for one in container["secrets"]}


def own(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Each product container's environment as it gets it, where it has one table."""
    yield "compose", COMPOSE["services"]["dynamirror"]["environment"] | ONE_SERVICE["environment"]
    yield "kubernetes", of_pod(CONTAINER, PATCHED)
    yield "ecs", of_task(ONE_TASK_CONTAINER)
