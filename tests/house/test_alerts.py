"""The alerts against scrapes that were recorded in real situations: what fires, and what does not."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "monitoring" / "alerts.yml"
SCRAPES = ROOT / "tests" / "status" / "scrapes"
LABELS = 'job="fastwsgi", instance="a"'


def series(situation: str, seconds: float) -> list[dict[str, str]]:
    """Half an hour in which counters go on growing as they did, and gauges stay, as promtool writes it."""
    first, last = (values((SCRAPES / f"{situation}.{number}.prom").read_text()) for number in (0, 1))
    found = [{"series": f"up{{{LABELS}}}", "values": "1x30"}]
    for name, (kind, value) in last.items():
        before = first.get(name, (kind, 0.0))[1]
        slope = (value - before) / seconds * 60 if kind in ("counter", "histogram") else 0
        found.append({"series": name, "values": f"{value:.9f}+{slope:.9f}x30"})
    return found


def values(text: str) -> dict[str, tuple[str, float]]:
    """The type and value of each series."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ", ".join([LABELS, *(f"{name}={json.dumps(value)}" for name, value in sample.labels.items())])
            found[f"{sample.name}{{{labels}}}"] = family.type, sample.value
    return found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
@pytest.mark.parametrize(
    ("situation", "seconds", "alerts"),
    [
        ("calm", 4.04, []),
        ("saturated", 7.51, ["QueueFull", "QueueWait", "Saturated"]),
        ("broken", 19.2, ["Errors", "ReloadFailed", "RestartLoop", "StuckWorker"]),
    ],
)
def test_what_fires(situation: str, seconds: float, alerts: list[str], tmp_path: Path) -> None:
    expected = [{"labels": f'{{alertname="Fastwsgi{name}"}}', "value": 1} for name in alerts]
    asked = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "25m", "exp_samples": expected}
    test = {"interval": "1m", "input_series": series(situation, seconds), "promql_expr_test": [asked]}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
