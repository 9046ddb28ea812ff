"""docs/monitoring: the dashboard, the alerts and the recipes name metrics that exist, and their files are sound."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fastwsgi.status.families import FAMILIES, PREFIX
from fastwsgi.status.statsd import COUNTERS, GAUGES
from tests.helpers.pages import PAGES, blocks

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
NAMES = {PREFIX + family.name for family in FAMILIES if family.kind != "histogram"} | {
    f"{PREFIX}{family.name}_{part}" for family in FAMILIES if family.bounds for part in ("bucket", "sum", "count")
}
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
ALERTS = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions() -> list[str]:
    """What the dashboard asks Prometheus."""
    targets = [target["expr"] for panel in panels() for target in panel["targets"]]
    variables = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    return [*targets, *variables, *(one["expr"] for one in DASHBOARD["annotations"]["list"])]


def metrics_in(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[a-z_]+", text))


@pytest.mark.parametrize("expression", [*expressions(), *(rule["expr"] for rule in ALERTS)])
def test_what_is_asked_exists(expression: str) -> None:
    assert metrics_in(expression) <= NAMES
    assert metrics_in(expression) or "up{" in expression


def test_what_the_manual_names_exists() -> None:
    named = set().union(*map(metrics_in, PAGES.values())) - {"fastwsgi_server"}  # the wheel
    assert named <= NAMES | {PREFIX + family.name for family in FAMILIES}


def test_most_metrics_are_on_the_dashboard() -> None:
    shown = set().union(*map(metrics_in, expressions()))
    left_out = {"worker_info", "worker_start_time_seconds", "start_time_seconds", "generation", "stopping"}
    left_out |= {"loops"}  # as many as the settings say
    left_out |= {"probe_answers_total", "file_answers_total"}  # no traffic
    of_alerts = {"failing_starts", "reload_failed", "listen_queue_limit", "certificate_not_after_seconds"}
    missing = {one.name for one in FAMILIES if not any(name.startswith(PREFIX + one.name) for name in shown)}
    assert missing == left_out | of_alerts


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["uid"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["type"] in ("stat", "timeseries")
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", "".join(expressions()) + json.dumps(DASHBOARD["panels"])))
    assert used - {"__rate_interval"} <= variables


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells


def test_each_alert_says_what_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_each_alert_is_tested() -> None:
    text = (FOLDER / "alerts_test.yml").read_text()
    assert yaml.safe_load(text)["rule_files"] == ["alerts.yml"]
    assert {rule["alert"] for rule in ALERTS} == set(re.findall('alertname="([A-Za-z]+)"', text))


@promtool
@pytest.mark.parametrize("command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_agrees(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manual_has_the_names_of_statsd() -> None:
    chapter = PAGES["metrics"].partition("## statsd")[2]
    named = set(re.findall(r"`(?:gunicorn|fastwsgi)?(\.[a-z_.]+)", chapter))
    sent = {re.sub("^(gunicorn|fastwsgi)", "", name) for name in (*COUNTERS, *GAUGES, "fastwsgi.listen_queue")}
    assert {name for name in sent if name not in named and f"{name}warning" not in named} == set()


def recipes() -> list[str]:
    return blocks("metrics", "yaml") + blocks("kubernetes", "yaml")


@pytest.mark.parametrize("text", recipes())
def test_recipes_are_yaml(text: str) -> None:
    assert all(yaml.safe_load_all(text))
