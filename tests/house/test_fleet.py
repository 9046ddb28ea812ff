"""ci/fleet.py: its accounts find what is lost, done twice or unexplained, and its rows change what the page has."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ci.fleet_parts.clients import Outcome
from ci.fleet_parts.ledger import Account, balance
from ci.fleet_parts.rows import ROWS, Row
from ci.fleet_parts.shops import changed, files_of_the_page
from ci.scenarios.running import Missed

OUTCOMES = {
    "/0/1": Outcome("GET", 0.0, 0.1, 200, "1"),
    "/0/2": Outcome("POST", 0.2, 0.3, 200, "1"),
    "/0/3/slow": Outcome("GET", 0.4, 0.9, 200, "1"),
    "/0/4": Outcome("POST", 0.9, 1.0, 503),
    "/0/5": Outcome("POST", 1.0, 1.1, why="connection closed"),
}
RECORD = ["GET /0/1", "POST /0/2", "GET /0/3/slow", "POST /0/5", "GET /"]
LOG = [f"{one.method} {target} {one.status or -1} shop1" for target, one in OUTCOMES.items()]


def account(folder: Path, record: list[str], log: list[str]) -> Account:
    (folder / "record").write_text("\n".join(record))
    return balance(OUTCOMES, log, [folder / "record"])


def test_the_sum(tmp_path: Path) -> None:
    found = account(tmp_path, RECORD, LOG)
    assert (found.requests, found.lost) == (5, Counter({"503": 1, "connection closed": 1}))
    assert (found.lost_gets, found.closed, found.done) == (0, 0, 1)
    assert (found.doubled, found.repeated, found.faults) == (0, 0, [])
    assert (round(found.gap, 3), round(found.p99)) == (0.6, 500)


def test_what_is_done_twice(tmp_path: Path) -> None:
    found = account(tmp_path, [*RECORD, "POST /0/2", "GET /0/1"], LOG)
    assert (found.doubled, found.repeated) == (1, 1)


@pytest.mark.parametrize(
    ("record", "log", "fault"),
    [
        (RECORD[1:], LOG, "an application never began with 1, such as /0/1"),
        ([*RECORD, "GET /9/9"], LOG, "no client sent 1, such as /9/9"),
        (RECORD, LOG[1:], "the proxy's log has not the status of 1, such as /0/1"),
        (RECORD, [*LOG[:3], "POST /0/4 200 shop1"], "the proxy's log has not the status of 1, such as /0/4"),
        (RECORD, [*LOG, "GET /9/9 200 shop1"], "the proxy's log has, of nobody, 1, such as /9/9"),
    ],
)
def test_what_does_not_add_up(tmp_path: Path, record: list[str], log: list[str], fault: str) -> None:
    assert account(tmp_path, record, log).faults == [fault]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.name))
def test_each_row_changes_what_the_page_has(row: Row) -> None:
    files = changed(files_of_the_page(), row.changes)
    assert files.keys() >= {"roll", "haproxy.cfg", "shop.conf", "shop.hosts", "shop.service", "fastwsgi.toml"}


def test_a_change_that_the_page_has_not_is_told() -> None:
    with pytest.raises(Missed, match="nothing of that"):
        changed(files_of_the_page(), {"nothing of that": ""})


def test_the_scripts_are_of_a_shell() -> None:
    for name, text in files_of_the_page().items():
        if name == "roll" or name.endswith(".sh"):
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)
