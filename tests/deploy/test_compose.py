"""compose.yaml: valid, pinned, and without rights that it does not need."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from compose_spec import PyCompose

from service.health_check import address
from tests.support.deploy_files import COMPOSE, DEPLOY, ROOT

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
