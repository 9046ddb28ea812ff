"""Workers that have served enough are replaced: one at a time, the new one ready first, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.process.recycle import MemoryLimit, resident
from tests.helpers.deployments import SITE, deployed, wait_for_end
from tests.helpers.traffic import Load


@pytest.mark.parametrize(
    ("threads", "settings", "reason"),
    [
        (1, {"max_requests": 30, "max_requests_jitter": 5}, "it has served 3[0-5] requests"),
        (2, {"max_requests": 30}, "it has served 30 requests"),
        (1, {"max_worker_age": 0.2, "max_worker_age_jitter": 0.1}, "it is [0-9]+ s old"),
    ],
)
def test_nothing_is_lost_under_load(tmp_path: Path, threads: int, settings: dict[str, float], reason: str) -> None:
    with deployed(tmp_path, workers=2, threads=threads, **settings) as server:
        server.workers(2)
        with Load(server.address, kept=2, new=2) as load:
            for _ in range(3):
                server.line(f"is to be replaced: {reason}")
                load.more(20)
        assert load.lost == []
        server.signal()
        assert server.wait() == 0
    assert not any("in time" in line for line in server.seen)


def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    source = SITE.replace("version =", "kept = []\nversion =").replace("os._exit(3)", "kept.append(bytearray(1 << 27))")
    with deployed(tmp_path, "c", source, workers=1, max_worker_rss="100M") as server:
        (worker,) = server.workers(1)
        assert server.ask("/exit") == b"one"
        server.line("is to be replaced: it has 1[0-9][0-9] MiB resident")
        wait_for_end(worker)
        assert server.workers(1) != {worker}


def test_memory_is_told_once() -> None:
    told: list[str] = []
    limit = MemoryLimit(resident() // 2, told.append)
    limit.check()
    limit.check()
    assert len(told) == 1
    MemoryLimit(resident() * 2, told.append).check()
    assert len(told) == 1

