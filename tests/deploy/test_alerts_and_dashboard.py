"""The alert rules and the dashboard in deploy/ name only series that there are, and tell the pipelines apart."""

import json
import re
from pathlib import Path

import pytest
import yaml

from service.operations.documents.status import PipelineState
from tests.support.metric_series import all_series

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}
RULES = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]


def test_no_alert_counts_the_pipelines_own_figures_once_for_each_process() -> None:
    """A standby tells them too: two alerts, or a sum, would be wrong."""
    for expression in _expressions("prometheus-alerts.yml"):
        if re.search(r"lag_seconds|dead_letters\b|last_verification", expression):
            assert "max by (job, pipeline)" in expression, expression


def _sample_names() -> set[str]:
    names = {each.name for each in all_series()}
    for each in all_series():
        if each.kind == "histogram":
            names |= {f"{each.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def _expressions(file_name: str) -> list[str]:
    text = (DEPLOY / file_name).read_text()
    if file_name.endswith(".json"):
        return [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
    return [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("file_name", ["grafana-dashboard.json", "prometheus-alerts.yml"])
def test_dashboard_and_alerts_name_only_series_and_labels_that_exist(file_name: str) -> None:
    labels = {label for each in all_series() for label in each.labels} | LABELS_OF_PROMETHEUS
    expressions = _expressions(file_name)
    assert expressions
    for expression in expressions:
        assert set(re.findall(r"dynamirror_\w+", expression)) <= _sample_names(), expression
        assert set(re.findall(r"(\w+)\s*=~?\s*\"", expression)) <= labels, expression
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",")} <= labels, expression
        assert expression.count("(") == expression.count(")")


def test_the_dashboard_shows_every_series() -> None:
    text = " ".join(_expressions("grafana-dashboard.json"))

    assert [each.name for each in all_series() if each.name not in text] == []


def test_alerts_ask_for_states_that_exist() -> None:
    states = re.findall(r'state="(\w+)"', (DEPLOY / "prometheus-alerts.yml").read_text())
    assert states
    assert set(states) <= {each.value for each in PipelineState}


ABOUT_A_PROCESS = {"DynamirrorAbsent", "DynamirrorProcessGone"}


def test_every_alert_about_a_pipeline_names_it_and_groups_by_it() -> None:
    for rule in RULES:
        if rule["alert"] not in ABOUT_A_PROCESS:
            assert "{{ $labels.pipeline }}" in rule["annotations"]["summary"], rule["alert"]
            for group in re.findall(r"(?:by|on) \(([^)]*)\)", rule["expr"]):
                assert "pipeline" in group, rule["expr"]


def test_every_panel_looks_at_the_chosen_pipelines() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    assert "pipeline" in {each["name"] for each in dashboard["templating"]["list"]}
    for expression in _expressions("grafana-dashboard.json"):
        chosen = expression.count('pipeline=~"$pipeline')
        assert chosen == expression.count('job=~"$job"') or "process_" in expression, expression


def test_an_alert_on_an_increase_sees_a_counter_that_begins_above_zero_too() -> None:
    """A gap that is found before the first scrape: `increase` never sees it."""
    rises = [each for each in _expressions("prometheus-alerts.yml") if "increase(" in each]
    assert rises
    for expression in rises:
        assert re.search(r"or \((\w+) > 0 unless \1 offset (\w+)\)", expression), expression


def test_there_is_an_alert_for_all_that_needs_a_person() -> None:
    names = {rule["alert"] for rule in RULES}

    assert {
        "DynamirrorLagging",
        "DynamirrorNotReady",
        "DynamirrorDeadLetters",
        "DynamirrorGap",
        "DynamirrorRetentionRunningOut",
        "DynamirrorNobodyReplicates",
        "DynamirrorNoStandby",
        "DynamirrorProcessGone",
        "DynamirrorPipelineGone",
        "DynamirrorLagUnknown",
    } <= names
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in RULES)
