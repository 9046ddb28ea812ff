"""The metrics as text: what Prometheus' own parser reads of it, promtool's rules, and the table of the manual."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fastwsgi.figures import CLASSES, CODES, DURATION_BOUNDS, DURATIONS, HISTOGRAM, PROBE_ANSWERS, QUEUE_BOUNDS
from fastwsgi.status import scoreboard
from fastwsgi.status.families import FAMILIES, PREFIX
from fastwsgi.status.metrics import CONTENT_TYPE, text
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Scoreboard
from fastwsgi.version import VERSION

MANUAL = Path(__file__).parents[2] / "docs" / "metrics.md"
OF_A_HISTOGRAM = ("_bucket", "_sum", "_count")
# The issue's table: what somebody's dashboards and alerts may rely on
PROMISED = {
    "histogram": "request_duration_seconds request_queue_seconds proxy_queue_seconds",
    "gauge": "threads threads_busy requests_queued streams_waiting connections buffered_bytes listen_queue "
    "listen_queue_limit workers workers_wanted worker_info worker_start_time_seconds worker_heartbeat_age_seconds "
    "worker_resident_memory_bytes generation stopping build_info certificate_not_after_seconds",
    "counter": "threads_busy_seconds_total connections_accepted_total received_bytes_total sent_bytes_total "
    "refused_total timeouts_total queue_full_total application_errors_total log_lines_dropped_total "
    "worker_starts_total worker_cpu_seconds_total reloads_total",
}


def page() -> str:
    """The text of a service with two workers, of which the second has a predecessor that ends."""
    board = Scoreboard()
    words = board.words
    for position, pid, state in ((0, 11, "ready"), (1, 12, "ready"), (1, 13, "retiring")):
        slot = board.allocate(position + 1)
        slot.position, slot.pid, slot.state, slot.threads, slot.busy, slot.generation = position, pid, state, 4, 2, 3
        for index, count in enumerate((1, 0, 2)):
            words[slot.base + DURATIONS + index] += count
        words[slot.base + DURATIONS + HISTOGRAM - 1] += 50_000_000
        words[slot.base + CODES + 100] += 3
        words[slot.base + PROBE_ANSWERS + 1] += 1
    words[scoreboard.LISTENERS] = words[scoreboard.CERTIFICATES] = 1
    words[scoreboard.LISTENERS + 1], words[scoreboard.LISTENERS + 2] = 5, 2048
    words[scoreboard.LISTENERS + 3] = int.from_bytes(b'unix:a"\\', "little")
    words[scoreboard.CERTIFICATES + 1] = 2_000_000_000
    words[scoreboard.CERTIFICATES + 2] = int.from_bytes(b"a\n.pem", "little")
    found = text(Reader(words, "py").read(details=False))
    board.close()
    return found


def parsed() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Prometheus' reading: values by name and labels."""
    families = text_string_to_metric_families(page())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(name: str, **labels: str) -> float:
    return parsed()[PREFIX + name, frozenset(labels.items())]


def test_what_the_parser_of_prometheus_reads() -> None:
    assert value("request_duration_seconds_bucket", code="2xx", le="0.005") == 3
    assert value("request_duration_seconds_bucket", code="2xx", le="0.025") == 9
    assert value("request_duration_seconds_bucket", code="2xx", le="+Inf") == 9
    assert value("request_duration_seconds_count", code="2xx") == value("responses_total", code="200") == 9
    assert value("request_duration_seconds_sum", code="2xx") == pytest.approx(0.15)
    assert value("request_queue_seconds_bucket", le="0.001") == 9
    assert [value("probe_answers_total", code=code) for code in ("200", "503")] == [0, 3]
    assert value("workers", state="ready") == 2
    assert value("workers", state="booting") == 0
    assert value("build_info", version=VERSION, build="py", python=platform.python_version()) == 1


def test_gauges_of_two_processes_at_one_position_are_added_up() -> None:
    assert (value("threads", worker="0"), value("threads", worker="1")) == (4, 8)
    assert value("threads_busy", worker="1") == 4
    assert (value("loops", worker="0"), value("loops", worker="1")) == (1, 4)
    assert value("worker_info", worker="1", pid="12", generation="3") == 1
    assert value("worker_info", worker="1", pid="13", generation="3") == 1


def test_only_the_info_has_a_process_as_a_label() -> None:
    labelled = {name for name, labels in parsed() if "pid" in dict(labels)}
    assert labelled == {PREFIX + "worker_info"}


def test_labels_are_escaped() -> None:
    assert value("listen_queue", listener='unix:a"\\') == 5
    assert value("certificate_not_after_seconds", certificate="a\\x0a.pem") == 2e9


def test_it_has_types_and_help_and_ends_with_a_line() -> None:
    found = page()
    assert found.endswith("\n")
    assert "\n\n" not in found
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
    for family in FAMILIES:
        assert f"# HELP {PREFIX}{family.name} {family.help}\n# TYPE {PREFIX}{family.name} {family.kind}\n" in found


def test_buckets_are_cumulative() -> None:
    for family in FAMILIES:
        if family.kind == "histogram":
            assert family.bounds in (DURATION_BOUNDS, QUEUE_BOUNDS)
    found: dict[Any, list[float]] = {}
    for (name, labels), number in parsed().items():
        if name.endswith("_bucket"):
            rest = frozenset((label, text) for label, text in labels if label != "le")
            found.setdefault((name, rest), []).append(number)
    assert len(found) == len(CLASSES) + 2
    for counts in found.values():
        assert counts == sorted(counts)
        assert len(counts) == len(DURATION_BOUNDS) + 1


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_the_rules_of_promtool(family: Any) -> None:
    """The rules of `promtool check metrics` (client_golang, prometheus/testutil/promlint)."""
    name = family.name
    assert re.fullmatch("[a-z][a-z_]*", name)
    assert (family.kind == "counter") == name.endswith("_total")
    assert family.kind == "histogram" or not name.endswith(OF_A_HISTOGRAM)
    assert not re.search("gauge|counter|summary|histogram", name)
    assert not re.search("(^|_)(milli|micro|nano|ms|sec|minutes?|hours?|days?|kilo|mega|kb|mb|bits|percent)(_|$)", name)
    assert family.help.endswith(".")
    assert "\n" not in family.help


def test_what_the_issue_promised_is_there() -> None:
    for kind, names in PROMISED.items():
        assert set(names.split()) <= {family.name for family in FAMILIES if family.kind == kind}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool")
def test_promtool_has_no_complaint() -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=page(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_manual_has_each_metric_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `fastwsgi_(\w+)` \| (\w+) \| ([^|]*) \|", MANUAL.read_text(), re.MULTILINE)
    labels: dict[str, set[str]] = {}
    for name, found in parsed():
        family = re.sub("(_bucket|_sum|_count)$", "", name)[len(PREFIX) :]
        labels.setdefault(family, set()).update(label for label, _ in found if label != "le")
    assert [(name, kind, set(re.findall("`([a-z]+)`", shown))) for name, kind, shown in rows] == [
        (family.name, family.kind, labels.get(family.name, set())) for family in FAMILIES
    ]
