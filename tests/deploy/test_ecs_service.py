"""The ECS service, and how Prometheus finds its tasks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import botocore.session
import yaml
from botocore.validate import ParamValidator

ECS = Path(__file__).resolve().parents[2] / "deploy" / "ecs"
SERVICE = json.loads((ECS / "service.json").read_text())
(TASK_CONTAINER,) = json.loads((ECS / "task-definition.json").read_text())["containerDefinitions"]


def test_the_service_is_one_that_ecs_takes() -> None:
    model = botocore.session.get_session().get_service_model("ecs").operation_model("CreateService")
    report = ParamValidator().validate(SERVICE, model.input_shape)
    assert report.generate_report() == ""


def test_two_tasks_of_which_both_stay_until_a_new_one_is_healthy() -> None:
    assert SERVICE["desiredCount"] == 2
    assert SERVICE["deploymentConfiguration"] == {
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }


def test_prometheus_finds_each_task_and_shows_a_token() -> None:
    (job,) = yaml.safe_load((ECS / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == [f"{SERVICE['serviceName']}.NAMESPACE"]
    assert found["type"] == "A"
    assert found["port"] == TASK_CONTAINER["portMappings"][0]["containerPort"]
    assert job["authorization"].keys() == {"credentials_file"}
    assert SERVICE["serviceRegistries"] == [{"registryArn": "REGISTRY_ARN"}]


def test_the_readme_fills_in_every_word_and_the_names_agree() -> None:
    text = (ECS.parent / "README.md").read_text()
    words = set(re.findall(r'"([A-Z_]+)"', (ECS / "service.json").read_text())) - {"FARGATE", "DISABLED", "SERVICE"}
    assert words == {"CLUSTER", "SUBNET", "GROUP", "REGISTRY_ARN"}
    assert "--cli-input-json file://deploy/ecs/service.json" in text
    assert "create-private-dns-namespace" in text
    for action in ("ssm:GetParameters", "secretsmanager:GetSecretValue"):
        assert action in (ECS.parent / "iam" / "ecs-execution.json").read_text()
