"""Logs of several loops in one process: nothing torn, lost or doubled, and each total exact.

Without a GIL the threads here run beside each other, each in the place of a loop; with one they still take turns.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi import figures
from fastwsgi.observe import access
from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.error import error_log
from fastwsgi.observe.files import LogFile
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.log_counter import LogCounter
from fastwsgi.observe.logs import Logs
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.observe.refusals import Refusals, Summary
from fastwsgi.observe.refused_peers import MAX_COUNTED, FrequentPeers
from fastwsgi.observe.request_id import Ids
from fastwsgi.observe.trace import Trace
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.process.salvage import Salvage
from fastwsgi.settings.settings import Settings
from tests.helpers.access_logs import REFUSAL, refuse

LOOPS = 4
MANY = 5000


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    """With a GIL, threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(run: Callable[[int], object], count: int = LOOPS) -> None:
    """Call *run* with 0, 1, ... beside each other."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait()
        run(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(begin, range(count)))


def client(number: int, at: int) -> Any:
    """One that tells who has refused it; some have long names, so that halves of the memory fill up unevenly."""
    return SimpleNamespace(host=f"{number}-{at}-{'x' * (at % 7 * 40)}")


def refused(host: str) -> Any:
    return SimpleNamespace(host=host, code=400, sent=0, note=None, line=None, version=0, spent=-1.0, environ={})


def test_every_line_is_written_once(build: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of the log writes all the time; the lines of a loop keep their order."""
    monkeypatch.setattr(access, "PERIOD", 0.0)
    log = AccessLog(LogFile(str(tmp_path / "log")), read_format("%(h)s"), build)
    loops = [log.for_loop() for _ in range(LOOPS)]

    def run(number: int) -> None:
        for at in range(MANY):
            loops[number].tick()
            loops[number].request_refused(client(number, at), REFUSAL)

    in_threads(run)
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    for number in range(LOOPS):
        own = [line for line in lines if line.startswith(f"{number}-")]
        assert own == [client(number, at).host for at in range(MANY)]
    assert len(lines) == LOOPS * MANY


class Reluctant(LogFile):
    """Takes a third of what it is given, and each second time nothing."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.calls = 0

    def write_piece(self, lines: Any, piece: Any) -> int:
        self.calls += 1
        if self.calls % 2:
            raise OSError
        return super().write_piece(lines, piece._replace(size=max(1, piece.size // 3)))


def test_a_line_that_is_half_written_is_completed_first(build: SimpleNamespace, tmp_path: Path) -> None:
    log = AccessLog(Reluctant(str(tmp_path / "log")), read_format("%(h)s"), build)
    loops = [log.for_loop() for _ in range(LOOPS)]
    for number, one in enumerate(loops):
        refuse(one, 5, SimpleNamespace(host=str(number) * 50))
    while not log.flush():
        pass
    log.close()
    assert (tmp_path / "log").read_text() == "".join(f"{str(number) * 50}\n" * 5 for number in range(LOOPS))


def test_what_has_no_room_is_counted(build: SimpleNamespace) -> None:
    """Another thread takes the lines and the counts meanwhile."""
    waiting = WaitingLines()
    lines = build.access.Lines(read_format("%(h)s"), waiting, lambda: None)
    taken = dropped = 0

    def run(number: int) -> None:
        nonlocal taken, dropped
        for at in range(MANY // 5):
            if number == 0:
                lines.refuse(refused("x" * 20000))
            elif at % 50 == 0:
                taken += waiting.rest().count(b"\n")
            else:
                dropped += waiting.take_dropped()

    in_threads(run, 2)
    taken += waiting.rest().count(b"\n")
    assert taken + dropped + waiting.take_dropped() == MANY // 5


def test_halves_change_places_beside_the_loop(build: SimpleNamespace) -> None:
    """The lines are long, so that the other thread comes in the middle of one."""
    waiting = WaitingLines()
    lines = build.access.Lines(read_format("%(h)s"), waiting, lambda: None)
    given = [f"{at}-{'x' * 2000}" for at in range(MANY)]
    ended = threading.Event()
    taken = []

    def run(number: int) -> None:
        if number == 0:
            for host in given:
                lines.refuse(refused(host))
            ended.set()
        while not ended.is_set():
            taken.append(waiting.rest())

    in_threads(run, 2)
    found = b"".join([*taken, waiting.rest()]).decode().splitlines()
    dropped = waiting.take_dropped()
    assert len(found) == MANY - dropped
    assert found == (given if not dropped else sorted(set(given) & set(found), key=given.index))


def test_a_worker_that_was_killed_leaves_those_of_all_loops(build: SimpleNamespace, tmp_path: Path) -> None:
    settings = Settings(access_logfile=str(tmp_path / "log"), access_log_format="%(h)s")
    memory = [WaitingLines() for _ in range(LOOPS)]
    logs = Logs(settings, build, memory)
    for number in range(LOOPS):
        recorder = logs.for_loop().access
        assert recorder is not None
        refuse(recorder, 2, SimpleNamespace(host=str(number)))
    assert logs.access is not None
    logs.access.disown()
    Salvage().take(memory, settings)
    assert (tmp_path / "log").read_text().splitlines() == [str(number) for number in range(LOOPS) for _ in range(2)]


# The error log


def test_refusals_of_all_loops_are_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_log, "propagate", True)
    caplog.set_level(logging.INFO, "fastwsgi.error")
    summary = Summary()
    loops = [Refusals(summary) for _ in range(LOOPS)]

    def run(number: int) -> None:
        for at in range(MANY):
            loops[number].connection_refused(f"192.0.2.{number % 2}", "no matter")
            if at % 10 == 0:
                loops[number].tick()

    in_threads(run)
    for one in loops:
        one.pass_on()
    summary.close()
    totals = [int(re.findall("refused ([0-9]+) in", line)[0]) for line in caplog.messages]
    assert sum(totals) == LOOPS * MANY
    assert len(totals) == 2  # the first at once, and the rest before another is due


def test_counts_of_peers_add_up() -> None:
    one, other = FrequentPeers(), FrequentPeers()
    for number in range(MAX_COUNTED):
        one.note(f"10.0.1.{number}")
        other.note(f"10.0.2.{number}")
    for _ in range(10):
        one.note("192.0.2.7")
        other.note("192.0.2.7")
    one.add(other)
    assert max(one.counts, key=lambda peer: one.counts[peer]) == "192.0.2.7"
    assert len(one.counts) <= MAX_COUNTED


def test_entries_are_counted_exactly(build: SimpleNamespace) -> None:
    meter = build.meter.Meter()
    counter = LogCounter(lambda level: meter.set(figures.LOGGED + level, meter.view[figures.LOGGED + level] + 1))
    record = logging.LogRecord("fastwsgi.error", logging.WARNING, "", 0, "", (), None)
    in_threads(lambda number: [counter.filter(record) for _ in range(MANY)])
    assert sum(meter.view[figures.LOGGED : figures.LOGGED + len(figures.LOG_LEVELS)]) == LOOPS * MANY


def test_only_the_first_loop_counts_entries(build: SimpleNamespace) -> None:
    before = error_log.filters[:]
    logs = Logs(Settings(), build)
    meters = [build.meter.Meter() for _ in range(2)]
    try:
        for one in meters:
            logs.for_loop().attach(SimpleNamespace(meter=one))  # type: ignore[arg-type]
        error_log.warning("one")
        words = slice(figures.LOGGED, figures.LOGGED + len(figures.LOG_LEVELS))
        assert [sum(one.view[words]) for one in meters] == [1, 0]
    finally:
        error_log.filters[:] = before
        logs.close()


def test_of_a_line_that_clients_cause_one_is_written_and_the_others_are_counted() -> None:
    told: list[str] = []
    log = RateLimitedLog(lambda line, error: told.append(line))
    in_threads(lambda number: [log.log(1.0, "no room") for _ in range(MANY)])
    log.log(62.0, "no room")
    assert told == ["no room", f"no room ({LOOPS * MANY - 1} times more since the last such line)"]


# The rest


def test_heads_of_a_trace_are_whole_and_connections_have_one_number() -> None:
    stream = io.StringIO()
    trace = Trace(stream)

    def run(number: int) -> None:
        for _ in range(100):
            head = f"{number}\r\n{number}\r\n{number}\r\n".encode()
            trace.response_started(SimpleNamespace(connection=SimpleNamespace(number=0)), head)  # type: ignore[arg-type]

    in_threads(run)
    lines = stream.getvalue().splitlines()
    heads = [lines[at : at + 3] for at in range(0, len(lines), 3)]
    assert all(len(set(head)) == 1 for head in heads)
    numbers = [int(head[0].split()[0][1:]) for head in heads]
    assert numbers == list(range(1, LOOPS * 100 + 1))


def test_no_two_requests_have_one_id() -> None:
    """The threads of one loop share a source."""
    ids = Ids(accept=False)
    made: list[list[str]] = [[] for _ in range(LOOPS)]
    in_threads(lambda number: made[number].extend(ids.of({}) for _ in range(MANY)))
    assert len(set().union(*made)) == LOOPS * MANY
