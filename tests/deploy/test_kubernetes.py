"""The Kubernetes manifests: valid for each version, and with references to what is there."""

from __future__ import annotations

import copy
import re

import kubernetes_validate
import pytest
import yaml

from api.auth import OPEN_PATHS
from service.health_check import address
from tests.support.deploy_files import CONTAINER, DEPLOY, DOCKERFILE, MANIFESTS, PATCHED, POD, of_pod

MONITOR = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-operator" / "servicemonitor.yaml").read_text())
# From the first that has everything used here (unhealthyPodEvictionPolicy is beta since 1.27) to the newest known.
KUBERNETES_VERSIONS = ("1.27", "1.30", "1.33", kubernetes_validate.latest_version())


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
