"""What `fastwsgi top` shows of a document, without a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from fastwsgi.status import top_view
from fastwsgi.status.top_columns import COLUMNS
from fastwsgi.status.top_view import Choice, picture, text
from tests.helpers.status_documents import call, document, verdict, worker

BUSY = document(
    [
        worker(0, threads_busy=2),
        worker(1, threads_busy=4, saturated=42.0, queued=12, oldest_queued=3.1, oldest=31.2),
        worker(2, is_stuck=True, seen=8.2, oldest=8.3),
        worker(3, state="booting", age=0.4),
    ],
    [call("/a", 0.4, method="POST"), call("/slow/\x1b[31mred", 31.2, request_id="6f1c")],
    verdict=verdict("bad", "saturated", "for 42 s\u2026", {"level": "warn", "word": "stopping", "line": ""}),
)


def test_all_of_it() -> None:
    assert text(picture(BUSY, Choice())) == (
        """\
saturated: for 42 s...
stopping
busy 6/12   utilisation 43%   queue 12, oldest 3.10 s   listen queue 0/2048   req/s 182   5xx 0.4%   p50 0.012   \
p95 0.240   p99 1.20
shop:app   workers 3/4   generation 3   fastwsgi 0.1.0   up 3d04h

  #     PID STATE     GEN   AGE BUSY/THR QUEUE CONN REQ/S 5XX/S    P95 CPU%  RSS  SEEN OLDEST
  0    4711 ready       3 3d04h      2/4     0   12    46  0.03  0.012   37  34M 0.100      -
  1    4712 saturated   3 3d04h      4/4    12   12    46  0.03  0.012   37  34M 0.100   31.2
  2    4713 stuck       3 3d04h      0/4     0   12    46  0.03  0.012   37  34M  8.20   8.30
  3    4714 booting     3    0s      0/4     0   12    46  0.03  0.012   37  34M 0.100      -

RUNNING   #     PID  THREAD REQUEST ID REQUEST
   31.2   1    4712    4801 6f1c       GET /slow/\\x1b[31mred
  0.400   1    4712    4801            POST /a
"""
    )


@pytest.mark.parametrize("width", [1, 20, 40, 80, 100, 300])
@pytest.mark.parametrize("height", [0, 1, 2, 5, 9, 12, 15, 40])
def test_it_fits(width: int, height: int) -> None:
    lines = picture(BUSY, Choice(), width, height)
    assert len(lines) <= max(height, 1)
    shown = text(lines)
    if height >= 15 and width >= 80:
        assert "more" not in shown
    elif height == 12 and width == 80:
        assert "more workers" in shown
        assert "/slow" in shown
    table = next((line for line in shown.splitlines() if line.lstrip().startswith("#")), "")
    assert len(table) <= max(width, 9)


def test_many_workers_leave_room_for_requests() -> None:
    crowd = document([worker(number) for number in range(64)], [call(f"/{number}", number) for number in range(99)])
    lines = text(picture(crowd, Choice(), 100, 24)).splitlines()
    assert len(lines) == 24
    assert sum("ready" in line for line in lines) == 7
    assert "... 57 more workers" in lines
    assert lines[-1] == "... 92 more requests"


@pytest.mark.parametrize(("title", "order"), [("#", [0, 1, 2, 3]), ("QUEUE", [1, 0, 2, 3]), ("SEEN", [2, 0, 1, 3])])
def test_the_order(title: str, order: list[int]) -> None:
    place = [one.title for one in COLUMNS].index(title)
    lines = text(picture(BUSY, Choice(sort=place, requests=False))).splitlines()
    assert [int(line.split()[0]) for line in lines[6:]] == order
    assert "RUNNING" not in lines


def test_what_is_not_known_yet() -> None:
    rates = dict.fromkeys(("utilisation", "requests", "errors", "p50", "p95", "p99"))
    new = document([worker(0)])
    new["rates"].update(rates)
    new["totals"]["fullest"] = None
    new["workers"][0].update(dict.fromkeys(("request_rate", "error_rate", "p95", "cpu_share")))
    shown = text(picture(new, Choice()))
    assert "utilisation -   queue 0   req/s -   5xx -   p50 -" in shown
    assert shown.endswith("\nno request runs\n")
    for number in range(len(COLUMNS)):
        assert picture(new, Choice(sort=number))


def test_what_is_beside_the_threads_of_ready_workers() -> None:
    shown = document([worker(0, streams_waiting=3), worker(1, state="retiring", threads_busy=1)])
    shown["rates"].update(refused=37, p50=0.005, p99=10.0)
    head = text(picture(shown, Choice()))
    assert "busy 0/4 and 1 in retiring workers " in head
    assert " 3 streams wait for clients " in head
    assert " refused with 503 37   p50 <0.005   p95 0.240   p99 >10.0\n" in head


def test_loops_are_counted_where_a_worker_has_several() -> None:
    assert " loops " not in text(picture(document([worker(0), worker(1)]), Choice()))
    assert "workers 2/2   loops 4   generation" in text(picture(document([worker(0), worker(1, loops=3)]), Choice()))


@pytest.mark.parametrize("width", [80, 100])
def test_the_help_fits(width: int) -> None:
    lines = text(top_view.explanation(width)).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < 24 - 1
    assert all(any(line.startswith(one.title) for line in lines) for one in COLUMNS)


def test_no_worker() -> None:
    assert "busy 0/0 " in text(picture(document([]), Choice()))


@pytest.mark.parametrize(
    ("more", "style"),
    [({}, ""), ({"is_stuck": True}, "bad"), ({"oldest_queued": 1.0}, "warning"), ({"state": "retiring"}, "dim")],
)
def test_a_rows_style(more: dict[str, Any], style: str) -> None:
    assert top_view.table(document([worker(0, **more)])["workers"], COLUMNS[0], None)[1][0][1] == style
