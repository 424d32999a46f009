"""The Helm chart, rendered by Helm's own engine: valid, and of one mind with the plain manifests."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.configuration.fleet_file import load_fleet
from service.configuration.settings import load_settings
from tests.deploy.test_kubernetes import KUBERNETES_VERSIONS, MONITOR
from tests.support.deploy_files import DEPLOY, MANIFESTS, ROOT, of_pod, own

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHART = DEPLOY / "helm" / "dynamirror"
ROLE = MANIFESTS["ServiceAccount"]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
OPERATOR = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
ALL = {
    **OPERATOR,
    "imagePullSecrets": [{"name": "registry"}],
    "env": {"DYNAMIRROR_WRITERS": "32", "DYNAMIRROR_CREATE_REPLICA": True},
    "tokens": {"admin": "one", "read": "two: {{ }}"},
    "serviceAccount": {"roleArn": ROLE, "annotations": {"team": "replication"}},
    "podAnnotations": {"team": "replication"},
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "networkPolicy": {"from": [{"podSelector": {}}], "extraEgress": [{"ports": [{"port": 8000}]}]},
}
ONE_TABLE = {
    "fleet": "",
    "env": {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"},
}

pytestmark = pytest.mark.library("helm_python")


def rendered(values: Mapping[str, Any] | None = None, name: str = "dynamirror") -> dict[str, dict[str, Any]]:
    """The manifests by their kinds."""
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(dict(values or {}), name=name, namespace="replication")
    found = [yaml.safe_load(text) for path, text in files.items() if path.endswith(".yaml")]
    return {each["kind"]: each for each in found if each is not None}


def pod_of(manifests: Mapping[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = manifests["Deployment"]["spec"]["template"]
    return template


def container_of(manifests: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(manifests)["spec"]["containers"]
    return dict(container)


def without_helms_own(value: Any) -> Any:
    """Labels of Helm's, the checksum and the policy for pulling, which the plain manifests do not have."""
    if isinstance(value, list):
        return [without_helms_own(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: without_helms_own(each) for key, each in value.items()}
    dropped = ("instance", "version", "managed-by")
    kept = {key: each for key, each in kept.items() if key not in {f"app.kubernetes.io/{name}" for name in dropped}}
    for key in ("helm.sh/chart", "checksum/fleet", "imagePullPolicy"):
        kept.pop(key, None)
    return {key: each for key, each in kept.items() if not (key == "annotations" and each == {})}


def test_helm_finds_nothing_wrong() -> None:
    import helm_python

    found = helm_python.lint(CHART, strict=True)
    assert found["errors"] == []
    assert [each["error"] for each in found["messages"]] == ["icon is recommended"]


def test_the_chart_makes_what_the_plain_manifests_are() -> None:
    found = rendered({"serviceAccount": {"roleArn": ROLE}, **OPERATOR})
    assert found.keys() == MANIFESTS.keys() | {"NetworkPolicy", "PrometheusRule", "ServiceMonitor"}
    for kind, manifest in {**MANIFESTS, "ServiceMonitor": MONITOR}.items():
        assert without_helms_own(found[kind]) == manifest, kind


def test_the_chart_has_the_products_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION
    assert container_of(rendered())["image"].endswith(f":{VERSION}")


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize(
    "values", [{}, ALL, ONE_TABLE, {"restartOnChange": False}], ids=["default", "all", "one", "hup"]
)
def test_each_manifest_is_valid_for_each_kubernetes(values: dict[str, Any], version: str) -> None:
    for kind, manifest in rendered(values, name="another").items():
        if "coreos" not in manifest["apiVersion"]:
            kubernetes_validate.validate(manifest, version, strict=True)
        assert manifest["metadata"]["name"] == ("dynamirror-tokens" if kind == "Secret" else "another-dynamirror")


def test_two_releases_do_not_select_each_others_pods() -> None:
    one, other = rendered(name="one"), rendered(name="other")
    for found, stranger in ((one, other), (other, one)):
        for selector in (
            found["Deployment"]["spec"]["selector"]["matchLabels"],
            found["Service"]["spec"]["selector"],
            found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
            found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        ):
            assert selector.items() <= pod_of(found)["metadata"]["labels"].items()
            assert not selector.items() <= pod_of(stranger)["metadata"]["labels"].items()


def test_another_file_of_pipelines_or_token_replaces_the_pods() -> None:
    before = pod_of(rendered())
    assert before == pod_of(rendered())
    assert before != pod_of(rendered({"fleet": "[pipelines.one]\nsource_table = 'a'\nreplica_table = 'b'\n"}))
    tokens = [{"tokens": {"admin": "one", "read": read}} for read in ("two", "three")]
    assert pod_of(rendered(tokens[0])) != pod_of(rendered(tokens[1]))
    kept = [rendered({"restartOnChange": False, "fleet": fleet}) for fleet in ("a = 1", "a = 2")]
    assert pod_of(kept[0]) == pod_of(kept[1])
    assert kept[0]["ConfigMap"] != kept[1]["ConfigMap"]


def test_the_file_and_the_variables_are_ones_that_the_product_takes(tmp_path: Path) -> None:
    found = rendered(ALL)
    (tmp_path / "fleet.toml").write_text(found["ConfigMap"]["data"]["fleet.toml"])
    file = load_fleet(tmp_path / "fleet.toml", own(of_pod(container_of(found))))
    assert file.pipelines["orders"].writers == 32
    assert found["Secret"]["stringData"] == ALL["tokens"]
    one = container_of(rendered(ONE_TABLE))
    assert one["args"] == ["run"]
    assert "volumeMounts" not in one
    assert load_settings(own(of_pod(one))).source_table == "master-table"


def test_the_pod_has_more_time_to_end_than_the_product_takes() -> None:
    found = rendered({"shutdownTimeoutSeconds": 90.5})
    settings = load_settings(own(of_pod(container_of(found))) | ONE_TABLE["env"])
    assert settings.process.shutdown_timeout_seconds == 90.5
    assert pod_of(found)["spec"]["terminationGracePeriodSeconds"] == 101


def test_the_alerts_are_those_of_deploy() -> None:
    published = (DEPLOY / "prometheus-alerts.yml").read_text()
    assert (CHART / "files" / "prometheus-alerts.yml").read_text() == published
    assert rendered(OPERATOR)["PrometheusRule"]["spec"] == yaml.safe_load(published)


def test_the_network_policy_lets_in_the_admin_port_and_out_what_goes_to_aws() -> None:
    policy = rendered()["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": "admin"}]}]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {443, 53, 80}
    (local,) = [rule["to"] for rule in policy["egress"] if "to" in rule]
    assert local == [{"ipBlock": {"cidr": "169.254.170.23/32"}}]  # EKS User Guide, "EKS Pod Identities"
    assert "NetworkPolicy" not in rendered({"networkPolicy": {"enabled": False}})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 1}, "replica"),
        ({"env": {"DYNAMIRROR_ADMIN_TOKEN": "a-secret"}}, "DYNAMIRROR_ADMIN_TOKEN"),
        ({"env": {"DYNAMIRROR_QUEUE_MAX_BYTES": 67108864}}, "DYNAMIRROR_QUEUE_MAX_BYTES"),  # would be 6.7108864e+07
        ({"serviceAccount": {"roleArn": "dynamirror"}}, "roleArn"),
        ({"tokens": {"admin": "only-one"}}, "come together"),
    ],
)
def test_a_value_that_would_be_a_mistake_is_refused(values: dict[str, Any], named: str) -> None:
    import helm_python

    with pytest.raises(helm_python.HelmError, match=named):
        rendered(values)
