"""The collector: an application's own registry has the metrics of the service, from whichever worker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fastwsgi.figures import CODES, DURATIONS
from fastwsgi.metrics import Collector
from fastwsgi.status import here, metrics
from fastwsgi.status.families import FAMILIES
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Scoreboard
from tests.helpers.processes import running
from tests.helpers.serving import GET
from tests.helpers.status import observed


@pytest.fixture(autouse=True)
def leaving() -> Iterator[None]:
    """Belong to no service afterwards."""
    yield
    here.leave()


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


CODE_200 = ("fastwsgi_responses_total", (("code", "200"),))
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


def test_each_worker_tells_the_totals_of_all(build: SimpleNamespace, tmp_path: Path) -> None:
    with observed(tmp_path, build.name, SITE, workers=2) as (service, status):
        pids = service.workers(2)
        told: dict[int, dict[Any, float]] = {}
        while told.keys() != pids:
            before = samples(status.text("/metrics"))
            pid, _, text = service.ask("/metrics").decode().partition("\n")
            told[int(pid)] = samples(text)
            after = samples(status.text("/metrics"))
            assert before.keys() <= told[int(pid)].keys() <= after.keys()
            for name in ("fastwsgi_responses_total", "fastwsgi_request_duration_seconds_count"):
                for key in (key for key in before if key[0] == name):
                    assert before[key] <= told[int(pid)][key] <= after[key]
        assert before["fastwsgi_connections_accepted_total", ()] >= before[CODE_200] >= 2
    infos = [{dict(key[1])["pid"] for key in one if key[0] == "fastwsgi_worker_info"} for one in told.values()]
    assert infos == [set(map(str, pids))] * 2


ALONE = """
import fastwsgi
{site}
fastwsgi.serve(app, bind="127.0.0.1:0")
"""


def test_a_process_without_a_supervisor_tells_of_itself(build: SimpleNamespace) -> None:
    with running(["-c", ALONE.format(site=SITE)], build.name) as server, server.connect() as client:
        client.send(GET).answer()
        pid, _, text = client.send(GET).answer().body.decode().partition("\n")
        found = samples(text)
        server.signal()
        assert server.wait() == 0
    assert found[CODE_200] == 1
    assert found["fastwsgi_worker_info", (("generation", "0"), ("pid", pid), ("worker", "0"))] == 1
    assert found["fastwsgi_workers", (("state", "ready"),)] == found["fastwsgi_workers_wanted", ()] == 1
    assert 0 <= time.time() - found["fastwsgi_start_time_seconds", ()] < 300
