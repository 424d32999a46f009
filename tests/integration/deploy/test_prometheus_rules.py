"""Prometheus' own tool reads what deploy/ gives to Prometheus."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.debian import unpacked

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


@pytest.mark.timeout(600)  # the first run fetches the tool
def test_promtool_takes_the_alerts_and_the_configuration(tmp_path: Path) -> None:
    alerts = DEPLOY / "prometheus-alerts.yml"
    configuration = tmp_path / "prometheus.yml"
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()
    configuration.write_text(text.replace("/etc/prometheus/alerts.yml", str(alerts)))
    promtool = str(unpacked("prometheus") / "usr/bin/promtool")

    for what, path in (("rules", alerts), ("config", configuration)):
        done = subprocess.run([promtool, "check", what, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "12 rules found" in done.stdout
