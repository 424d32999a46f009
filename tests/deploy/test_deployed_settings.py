"""What compose.yaml, the Kubernetes manifests and the ECS task definitions set is of one mind with the product."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.configuration.environment import PREFIX
from service.configuration.fleet_file import load_fleet
from service.configuration.settings import ProcessSettings, Settings, load_settings
from service.health_check import address
from tests.support.deploy_files import (
    COMPOSE,
    CONTAINER,
    DEPLOY,
    DOCKERFILE,
    MANIFESTS,
    ONE_TASK_CONTAINER,
    POD,
    ROOT,
    TASK_CONTAINER,
    environments,
    of_pod,
    of_task,
    own,
)

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def fleets() -> Iterator[tuple[str, dict[str, str], str]]:
    """Each one's environment where it has a file of pipelines, and that file's text."""
    text = (DEPLOY / "compose" / "fleet.toml").read_text()
    yield "compose", COMPOSE["services"]["dynamirror"]["environment"], text
    yield "kubernetes", of_pod(CONTAINER), MANIFESTS["ConfigMap"]["data"]["fleet.toml"]
    yield "ecs", of_task(TASK_CONTAINER), (DEPLOY / "ecs" / "fleet.toml").read_text()


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


FILES = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_a_setting_that_does_not_exist(path: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", path.read_text())) <= known


def test_all_images_of_the_product_have_its_version() -> None:
    assert f"\nARG VERSION={VERSION}\n" in DOCKERFILE
    ours = [service["image"] for service in COMPOSE["services"].values() if "build" in service]
    assert len(ours) == 4
    images = [*ours, ONE_TASK_CONTAINER["image"], CONTAINER["image"], TASK_CONTAINER["image"]]
    assert {image.rpartition("/")[2] for image in images} == {f"dynamirror:{VERSION}"}


# All of them


def test_the_ports_agree() -> None:
    (port,) = [mapping["containerPort"] for mapping in TASK_CONTAINER["portMappings"]]
    assert f"\nEXPOSE {port}\n" in DOCKERFILE
    assert COMPOSE["services"]["dynamirror"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert [one["containerPort"] for one in CONTAINER["ports"]] == [port]
