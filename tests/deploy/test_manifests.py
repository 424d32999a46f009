"""compose.yaml, the Kubernetes manifests and the ECS task definition: valid, and of one mind with the product."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import kubernetes_validate
import pytest
import yaml
from botocore.validate import ParamValidator
from compose_spec import PyCompose

from api.auth import OPEN_PATHS
from service.configuration.environment import PREFIX
from service.configuration.fleet_file import load_fleet
from service.configuration.settings import ProcessSettings, Settings, load_settings
from service.health_check import address

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
MANIFESTS = {document["kind"]: document for path in KUBERNETES for document in yaml.safe_load_all(path.read_text())}
MONITOR = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-operator" / "servicemonitor.yaml").read_text())
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
TASK = json.loads((DEPLOY / "ecs" / "task-definition.json").read_text())
(TASK_CONTAINER,) = TASK["containerDefinitions"]
ONE_TASK = json.loads((DEPLOY / "ecs" / "one-table.json").read_text())
(ONE_TASK_CONTAINER,) = ONE_TASK["containerDefinitions"]
ONE_SERVICE = yaml.safe_load((DEPLOY / "compose" / "one-table.yaml").read_text())["services"]["dynamirror"]
PATCH = yaml.safe_load((DEPLOY / "kubernetes" / "one-table" / "patch.yaml").read_text())
(PATCHED,) = PATCH["spec"]["template"]["spec"]["containers"]
# From the first that has everything used here (unhealthyPodEvictionPolicy is beta since 1.27) to the newest known.
KUBERNETES_VERSIONS = ("1.27", "1.30", "1.33", kubernetes_validate.latest_version())
MEMORY_OF_CPU = {"256": range(512, 2049), "512": range(1024, 4097), "1024": range(2048, 8193)}
"""Fargate's pairs (Developer Guide of ECS, "Task definition parameters for Fargate": task size)."""


def of_pod(*containers: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "from-the-secret") for container in containers for one in container["env"]}


def of_task(container: dict[str, Any]) -> dict[str, str]:
    given = {one["name"]: one["value"] for one in container["environment"]}
    return given | {one["name"]: "from-the-secret" for one in container["secrets"]}


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Each product container's environment as it gets it, where it has one table."""
    yield "compose", COMPOSE["services"]["dynamirror"]["environment"] | ONE_SERVICE["environment"]
    yield "kubernetes", of_pod(CONTAINER, PATCHED)
    yield "ecs", of_task(ONE_TASK_CONTAINER)


def fleets() -> Iterator[tuple[str, dict[str, str], str]]:
    """Each one's environment where it has a file of pipelines, and that file's text."""
    text = (DEPLOY / "compose" / "fleet.toml").read_text()
    yield "compose", COMPOSE["services"]["dynamirror"]["environment"], text
    yield "kubernetes", of_pod(CONTAINER), MANIFESTS["ConfigMap"]["data"]["fleet.toml"]
    yield "ecs", of_task(TASK_CONTAINER), (DEPLOY / "ecs" / "fleet.toml").read_text()


def own(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


@pytest.fixture(params=[*fleets(), *environments()], ids=lambda found: f"{found[0]}-{'fleet' if found[2:] else 'one'}")
def process(request: pytest.FixtureRequest, tmp_path: Path) -> ProcessSettings:
    _, environment, *text = request.param
    if not text:
        return load_settings(own(environment)).process
    (tmp_path / "fleet.toml").write_text(text[0])
    return load_fleet(tmp_path / "fleet.toml", own(environment)).process


def test_each_gives_settings_that_the_product_takes(process: ProcessSettings) -> None:
    assert process.admin_host == "0.0.0.0"
    assert process.admin_token is not None
    assert process.read_token is not None
    assert process.admin_port == 8080


def test_each_leaves_more_time_to_end_than_the_product_takes(process: ProcessSettings) -> None:
    compose = re.fullmatch(r"(\d+)s", COMPOSE["services"]["dynamirror"]["stop_grace_period"])
    assert compose is not None
    of_pods = POD["spec"]["terminationGracePeriodSeconds"]
    graces = [int(compose[1]), of_pods, *(each["stopTimeout"] for each in (TASK_CONTAINER, ONE_TASK_CONTAINER))]
    assert min(graces) > process.shutdown_timeout_seconds


@pytest.mark.parametrize(("text", "environment"), [pytest.param(t, e, id=name) for name, e, t in fleets()])
def test_a_file_of_pipelines_has_several(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    (tmp_path / "fleet.toml").write_text(text)
    file = load_fleet(tmp_path / "fleet.toml", own(environment))
    assert len(file.pipelines) + (file.discover is not None) >= 2


def test_the_health_check_finds_the_port_in_the_environment() -> None:
    """It reads no file."""
    for _, environment, text in fleets():
        assert not re.search(r"^admin_", text, re.MULTILINE)
        assert address(own(environment)) == ("127.0.0.1", 8080)


@pytest.mark.parametrize("path", [path for path in DEPLOY.rglob("*") if path.is_file()], ids=lambda path: path.name)
def test_no_file_names_a_setting_that_does_not_exist(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", path.read_text())) <= known


def test_all_images_of_the_product_have_its_version() -> None:
    assert f"\nARG VERSION={VERSION}\n" in DOCKERFILE
    ours = [service["image"] for service in COMPOSE["services"].values() if "build" in service]
    assert len(ours) == 4
    images = [*ours, ONE_TASK_CONTAINER["image"], CONTAINER["image"], TASK_CONTAINER["image"]]
    assert {image.rpartition("/")[2] for image in images} == {f"dynamirror:{VERSION}"}


# compose


def test_the_compose_file_is_one() -> None:
    # The parser knows no merge keys, which YAML's own reader has resolved.
    parsed = PyCompose.from_yaml(yaml.safe_dump(COMPOSE))
    assert {"dynamirror", "emulator", "prometheus", "grafana"} <= set(parsed.service_names())


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_compose_service_is_pinned_and_on_loopback_only(name: str) -> None:
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)
    for needed in service.get("depends_on", []):
        assert needed in COMPOSE["services"]


@pytest.mark.parametrize("name", [name for name, service in COMPOSE["services"].items() if "build" in service])
def test_the_product_may_write_nothing_in_compose(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "tmpfs" not in service


def test_what_compose_mounts_exists_and_is_only_read() -> None:
    volumes = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    for volume in volumes:
        here, _, mode = volume.split(":")
        assert (DEPLOY / here).is_file()
        assert mode == "ro"
    assert (DEPLOY / COMPOSE["services"]["dynamirror"]["build"]).resolve() == ROOT


def test_prometheus_asks_dynamirror_with_the_read_token() -> None:
    (job,) = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    environment = COMPOSE["services"]["dynamirror"]["environment"]
    assert job["authorization"]["credentials"] == environment["DYNAMIRROR_READ_TOKEN"]
    assert job["static_configs"] == [{"targets": [f"dynamirror:{address(environment)[1]}"]}]


def test_grafana_finds_its_source_and_the_dashboard() -> None:
    grafana = COMPOSE["services"]["grafana"]
    mounted = {there: DEPLOY / here for here, there, _ in (volume.split(":") for volume in grafana["volumes"])}
    provisioned = {
        there.split("/")[4]: path for there, path in mounted.items() if "/etc/grafana/provisioning/" in there
    }
    (source,) = yaml.safe_load(provisioned["datasources"].read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert source["url"] == f"http://prometheus:{COMPOSE['services']['prometheus']['ports'][0].rpartition(':')[2]}"
    (provider,) = yaml.safe_load(provisioned["dashboards"].read_text())["providers"]
    dashboard = f"{provider['options']['path']}/dynamirror.json"
    assert mounted[dashboard] == DEPLOY / "grafana-dashboard.json"
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard
    assert json.loads(mounted[dashboard].read_text())["title"] == "dynamirror"


# Kubernetes


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_is_valid_for_each_kubernetes(kind: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[kind], version, strict=True)


def test_two_replicas_of_which_one_is_left_when_a_node_is_drained() -> None:
    assert MANIFESTS["Deployment"]["spec"]["replicas"] == 2
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_every_selector_finds_the_pods() -> None:
    labels = POD["metadata"]["labels"]
    (spread,) = POD["spec"]["topologySpreadConstraints"]
    for selector in (
        MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        MANIFESTS["Service"]["spec"]["selector"],
        spread["labelSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels.items()
    assert MONITOR["spec"]["selector"]["matchLabels"].items() <= MANIFESTS["Service"]["metadata"]["labels"].items()


def test_the_manifests_refer_to_what_is_there() -> None:
    assert POD["spec"]["serviceAccountName"] == MANIFESTS["ServiceAccount"]["metadata"]["name"]
    (volume,), (mount,) = POD["spec"]["volumes"], CONTAINER["volumeMounts"]
    assert volume["configMap"]["name"] == MANIFESTS["ConfigMap"]["metadata"]["name"]
    assert mount == {"name": volume["name"], "mountPath": "/etc/dynamirror", "readOnly": True}
    (file,) = MANIFESTS["ConfigMap"]["data"]
    assert CONTAINER["args"] == ["run", "--config", f"{mount['mountPath']}/{file}"]
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == address(of_pod(CONTAINER))[1]
    (service_port,) = MANIFESTS["Service"]["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    (endpoint,) = MONITOR["spec"]["endpoints"]
    assert endpoint["port"] == service_port["name"]
    asked = [CONTAINER[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [probe["path"] for probe in asked] == ["/healthz", "/healthz", "/readyz"]
    assert {probe["port"] for probe in asked} == {port["name"]}
    assert {probe["path"] for probe in asked} <= OPEN_PATHS


def test_the_patch_for_one_table_makes_a_deployment_without_a_file() -> None:
    """As a strategic merge does it: lists that have names by these, `args` as a whole."""
    patched = copy.deepcopy(MANIFESTS["Deployment"])
    (container,) = patched["spec"]["template"]["spec"]["containers"]
    assert PATCHED["name"] == container["name"]
    assert PATCHED.keys() == {"name", "args", "env"}
    container |= {"args": PATCHED["args"], "env": [*container["env"], *PATCHED["env"]]}
    for version in KUBERNETES_VERSIONS:
        kubernetes_validate.validate(patched, version, strict=True)
    assert container["args"] == ["run"]
    names = [one["name"] for one in container["env"]]
    assert len(names) == len(set(names))


def test_the_tokens_come_from_a_secret_and_prometheus_gets_the_one_for_reading() -> None:
    secrets = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in CONTAINER["env"] if "valueFrom" in one}
    assert secrets == {
        "DYNAMIRROR_ADMIN_TOKEN": {"name": "dynamirror-tokens", "key": "admin"},
        "DYNAMIRROR_READ_TOKEN": {"name": "dynamirror-tokens", "key": "read"},
    }
    (endpoint,) = MONITOR["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == secrets["DYNAMIRROR_READ_TOKEN"]
    assert "kubectl create secret generic dynamirror-tokens" in (DEPLOY / "README.md").read_text()


def test_a_pod_may_nothing_that_it_does_not_need() -> None:
    user, group = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE).groups()  # type: ignore[union-attr]
    pod, container = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["runAsGroup"]) == (True, int(user), int(group))
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert [volume.keys() for volume in POD["spec"]["volumes"]] == [{"name", "configMap"}]


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


# All of them


def test_the_ports_agree() -> None:
    (port,) = [mapping["containerPort"] for mapping in TASK_CONTAINER["portMappings"]]
    assert f"\nEXPOSE {port}\n" in DOCKERFILE
    assert COMPOSE["services"]["dynamirror"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [one["containerPort"] for one in CONTAINER["ports"]] == [port]
