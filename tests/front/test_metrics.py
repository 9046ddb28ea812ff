"""The collector: an application's own registry has the metrics of the service, from whichever worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fastwsgi.figures import CODES, DURATIONS
from fastwsgi.metrics import Collector
from fastwsgi.status import here, metrics
from fastwsgi.status.families import FAMILIES
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Scoreboard
from tests.helpers.deployments import deployed


@pytest.fixture
def board() -> Iterator[Scoreboard]:
    board = Scoreboard()
    yield board
    here.leave()
    board.close()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in found}


def test_it_gives_what_the_text_of_the_status_has(board: Scoreboard) -> None:
    slot = board.allocate()
    slot.state, slot.threads = "ready", 4
    slot.words[slot.base + DURATIONS] = slot.words[slot.base + CODES + 100] = 5
    reader = Reader(board.words)
    here.belong(reader)
    registry = CollectorRegistry()
    registry.register(Collector())
    ours, theirs = samples(metrics.text(reader.read(details=False))), samples(generate_latest(registry).decode())
    assert ours.keys() == theirs.keys()
    moving = {"fastwsgi_worker_heartbeat_age_seconds", "fastwsgi_worker_start_time_seconds"}
    assert {key: value for key, value in ours.items() if key[0] not in moving} == {
        key: value for key, value in theirs.items() if key[0] not in moving
    }
    assert theirs["fastwsgi_responses_total", (("code", "200"),)] == 5


def test_without_a_service_there_is_nothing_but_the_names() -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Collector())
    assert generate_latest(registry) == b""
    assert len(Collector().describe()) == len(FAMILIES)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector())


def test_without_prometheus_client_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['prometheus_client.core'] = None; import fastwsgi.metrics"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: fastwsgi.metrics needs prometheus-client: pip install 'fastwsgi-server[prometheus]'"
    )


SITE = """
import os
from prometheus_client import CollectorRegistry, generate_latest
from fastwsgi.metrics import Collector

registry = CollectorRegistry()
registry.register(Collector())

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    return [str(os.getpid()).encode() + b"\\n" + generate_latest(registry)]
"""


def test_each_worker_tells_of_all(build: SimpleNamespace, tmp_path: Path) -> None:
    with deployed(tmp_path, build.name, SITE, workers=2) as service:
        pids = service.workers(2)
        told: dict[int, set[str]] = {}
        while told.keys() != pids:
            pid, _, text = service.ask("/metrics").decode().partition("\n")
            told[int(pid)] = {dict(key[1])["pid"] for key in samples(text) if key[0] == "fastwsgi_worker_info"}
    assert set(map(frozenset, told.values())) == {frozenset(map(str, pids))}
