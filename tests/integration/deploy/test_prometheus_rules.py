"""Prometheus' own tool reads what deploy/ gives to Prometheus, and plays what the alerts are for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.servers.debian import unpacked

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ALERTS = DEPLOY / "prometheus-alerts.yml"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(unpacked("prometheus") / "usr/bin/promtool")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_promtool_takes_the_alerts_and_the_configuration(tmp_path: Path) -> None:
    configuration = tmp_path / "prometheus.yml"
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()
    configuration.write_text(text.replace("/etc/prometheus/alerts.yml", str(ALERTS)))

    for what, path in (("rules", ALERTS), ("config", configuration)):
        done = promtool("check", what, str(path))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "16 rules found" in done.stdout


def series(name: str, values: str, pipeline: str = "orders", instance: str = "one") -> dict[str, str]:
    told = f'job="dynamirror", instance="{instance}", pipeline="{pipeline}"'
    return {"series": f"{name}{{{told}}}", "values": values}


def healthy(pipeline: str, instance: str = "one", is_active: bool = True) -> list[dict[str, str]]:
    """For two hours."""
    return [
        series("dynamirror_ready", "1x120", pipeline, instance),
        series("dynamirror_lease_held", f"{int(is_active)}x120", pipeline, instance),
        series("dynamirror_lag_seconds", "0.1x120", pipeline, instance),
        series("dynamirror_dead_letters", "0x120", pipeline, instance),
    ]


CASES: dict[str, tuple[list[dict[str, str]], str, str, list[str]]] = {
    "a healthy pipeline does not hide one that nobody replicates": (
        [
            *healthy("orders"),
            series("dynamirror_ready", "1x120", "users"),
            series("dynamirror_lease_held", "0x120", "users"),
        ],
        "DynamirrorNobodyReplicates",
        "30m",
        ["users"],
    ),
    "a pipeline that two processes have is replicated by one of them": (
        [*healthy("orders"), *healthy("orders", "two", is_active=False)],
        "DynamirrorNobodyReplicates",
        "30m",
        [],
    ),
    "a process that does not answer is told although another does": (
        [
            *healthy("orders", "two"),
            series("dynamirror_ready", "1x10 stale", "orders", "one"),
            {"series": 'up{job="dynamirror", instance="one"}', "values": "1x10 0x60"},
            {"series": 'up{job="dynamirror", instance="two"}', "values": "1x120"},
            {"series": 'up{job="another", instance="three"}', "values": "0x120"},
        ],
        "DynamirrorProcessGone",
        "30m",
        [""],
    ),
    "a pipeline that no process tells of any more is told by its name": (
        [*healthy("orders"), series("dynamirror_ready", "1x70 stale", "users")],
        "DynamirrorPipelineGone",
        "90m",
        ["users"],
    ),
    "a lag that is not known is told": (
        [
            *healthy("orders"),
            series("dynamirror_ready", "1x120", "users"),
            series("dynamirror_lease_held", "1x120", "users"),
        ],
        "DynamirrorLagUnknown",
        "30m",
        ["users"],
    ),
    "a standby that is missing is told where there was one": (
        [
            *healthy("orders"),
            series("dynamirror_ready", "1x80 stale", "orders", "two"),
            *healthy("alone"),
        ],
        "DynamirrorNoStandby",
        "110m",
        ["orders"],
    ),
    "the lag of the active process counts, not what a standby remembers": (
        [*healthy("orders"), *healthy("orders", "two", is_active=False)[:2],
         series("dynamirror_lag_seconds", "900x120", "orders", "two"),
         *healthy("users"), series("dynamirror_lag_seconds", "900x120", "late"),
         series("dynamirror_lease_held", "1x120", "late")],
        "DynamirrorLagging",
        "30m",
        ["late"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_alerts_tell_one_pipeline_from_another(case: str, tmp_path: Path) -> None:
    """Two hours are played; each case has the pipelines that the alert is about by then."""
    found, alert, at, pipelines = CASES[case]
    fires = f'count by (pipeline) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    told = [{"labels": f'{{pipeline="{each}"}}' if each else "{}", "value": 1} for each in pipelines]
    expected = [{"expr": fires, "eval_time": at, "exp_samples": told}]
    play = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m"}
    path = tmp_path / "play.yml"
    path.write_text(
        json.dumps(play | {"tests": [{"interval": "1m", "input_series": found, "promql_expr_test": expected}]})
    )
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
