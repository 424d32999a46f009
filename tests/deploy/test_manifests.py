"""compose.yaml, the Kubernetes manifests and the ECS task definition: valid, and of one mind with the product."""

from __future__ import annotations

import json
import re
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
from service.configuration.settings import Settings, load_settings

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
# From the first that has everything used here (unhealthyPodEvictionPolicy is beta since 1.27) to the newest known.
KUBERNETES_VERSIONS = ("1.27", "1.30", "1.33", kubernetes_validate.latest_version())
MEMORY_OF_CPU = {"256": range(512, 2049), "512": range(1024, 4097), "1024": range(2048, 8193)}
"""Fargate's pairs (Developer Guide of ECS, "Task definition parameters for Fargate": task size)."""


def environments() -> Iterator[tuple[str, dict[str, str], int]]:
    """Each product container's environment as it gets it, and how many seconds it has to end."""
    compose = COMPOSE["services"]["dynamirror"]
    grace = re.fullmatch(r"(\d+)s", compose["stop_grace_period"])
    assert grace is not None
    yield "compose", dict(compose["environment"]), int(grace[1])
    of_pod = {one["name"]: "from-the-secret" for one in CONTAINER["env"]}
    yield "kubernetes", MANIFESTS["ConfigMap"]["data"] | of_pod, POD["spec"]["terminationGracePeriodSeconds"]
    of_task = {one["name"]: one["value"] for one in TASK_CONTAINER["environment"]}
    of_task |= {one["name"]: "from-the-secret" for one in TASK_CONTAINER["secrets"]}
    yield "ecs", of_task, TASK_CONTAINER["stopTimeout"]


def settings_in(environment: Mapping[str, str]) -> Settings:
    return load_settings({name: value for name, value in environment.items() if name.startswith(PREFIX)})


@pytest.fixture(params=list(environments()), ids=lambda found: found[0])
def placed(request: pytest.FixtureRequest) -> tuple[Settings, int]:
    _, environment, grace = request.param
    return settings_in(environment), grace


def test_each_gives_settings_that_the_product_takes(placed: tuple[Settings, int]) -> None:
    settings, _ = placed
    assert settings.admin_host == "0.0.0.0"
    assert settings.admin_token is not None
    assert settings.read_token is not None
    assert settings.admin_port == 8080


def test_each_leaves_more_time_to_end_than_the_product_takes(placed: tuple[Settings, int]) -> None:
    settings, grace = placed
    assert grace > settings.shutdown_timeout_seconds


@pytest.mark.parametrize("path", [path for path in DEPLOY.rglob("*") if path.is_file()], ids=lambda path: path.name)
def test_no_file_names_a_setting_that_does_not_exist(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", path.read_text())) <= known


def test_all_images_of_the_product_have_its_version() -> None:
    assert f"\nARG VERSION={VERSION}\n" in DOCKERFILE
    own = [service["image"] for service in COMPOSE["services"].values() if "build" in service]
    assert len(own) == 4
    images = [*own, CONTAINER["image"], TASK_CONTAINER["image"]]
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
    assert job["static_configs"] == [{"targets": [f"dynamirror:{settings_in(environment).admin_port}"]}]


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
    assert CONTAINER["envFrom"] == [{"configMapRef": {"name": MANIFESTS["ConfigMap"]["metadata"]["name"]}}]
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == settings_in(dict(environments_by_name()["kubernetes"])).admin_port
    (service_port,) = MANIFESTS["Service"]["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    (endpoint,) = MONITOR["spec"]["endpoints"]
    assert endpoint["port"] == service_port["name"]
    asked = [CONTAINER[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [probe["path"] for probe in asked] == ["/healthz", "/healthz", "/readyz"]
    assert {probe["port"] for probe in asked} == {port["name"]}
    assert {probe["path"] for probe in asked} <= OPEN_PATHS


def environments_by_name() -> dict[str, dict[str, str]]:
    return {name: environment for name, environment, _ in environments()}


def test_the_tokens_come_from_a_secret_and_prometheus_gets_the_one_for_reading() -> None:
    secrets = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in CONTAINER["env"]}
    assert secrets == {
        "DYNAMIRROR_ADMIN_TOKEN": {"name": "dynamirror-tokens", "key": "admin"},
        "DYNAMIRROR_READ_TOKEN": {"name": "dynamirror-tokens", "key": "read"},
    }
    (endpoint,) = MONITOR["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == secrets["DYNAMIRROR_READ_TOKEN"]
    assert "kubectl create secret generic dynamirror-tokens" in (DEPLOY / "README.md").read_text()


def test_a_pod_may_nothing_that_it_does_not_need() -> None:
    user, group = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE).groups()  # type: ignore[union-attr]
    pod, own = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["runAsGroup"]) == (True, int(user), int(group))
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert "volumes" not in POD["spec"]


# ECS


def test_the_task_definition_is_one_that_ecs_takes() -> None:
    model = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    report = ParamValidator().validate(TASK, model.input_shape)
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


# All of them


def test_the_ports_agree() -> None:
    (port,) = [mapping["containerPort"] for mapping in TASK_CONTAINER["portMappings"]]
    assert f"\nEXPOSE {port}\n" in DOCKERFILE
    assert COMPOSE["services"]["dynamirror"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [one["containerPort"] for one in CONTAINER["ports"]] == [port]
