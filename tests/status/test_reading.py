"""A snapshot: the sums over all memories, what the living do, and nothing that falls."""

from __future__ import annotations

import os
import time

import pytest

from fastwsgi import figures
from fastwsgi.figures import CALL, CALL_WORDS, CODES, DURATIONS, HISTOGRAM, QUEUE_TIMES, ROWS, SIZE
from fastwsgi.status import here, scoreboard
from fastwsgi.status.calls import at_the_end, in_call
from fastwsgi.status.reading import Highest, Reader
from fastwsgi.status.scoreboard import Scoreboard, Slot

SECOND = 10**9


def ready(board: Scoreboard, position: int = 0, loops: int = 1, **gauges: int) -> Slot:
    slot = board.allocate(loops)
    slot.state, slot.position, slot.pid, slot.threads = "ready", position, os.getpid(), 4
    for name, value in gauges.items():
        setattr(slot, name, value)
    return slot


def add(slot: Slot, index: int, value: int = 1) -> None:
    slot.words[slot.base + index] += value


def answer(slot: Slot, code: int, bucket: int = 0, nanoseconds: int = SECOND // 1000) -> None:
    add(slot, CODES + code - 100)
    histogram = DURATIONS + (code // 100 - 2) * HISTOGRAM
    add(slot, histogram + bucket)
    add(slot, histogram + HISTOGRAM - 1, nanoseconds)


def run(
    slot: Slot, place: int, name: bytes, age: float = 1, number: int = 1, identifier: bytes = b"", counted: bool = False
) -> None:
    """Have a call run in a place: 0 is the loop's thread, others are rows."""
    begin = slot.base + (CALL if place == 0 else ROWS + (place - 1) * CALL_WORDS)
    row = slot.words[begin : begin + CALL_WORDS].cast("B")
    row[figures.CALL_ID * 8 :][: len(identifier)] = identifier
    row[figures.CALL_NAME * 8 :][: len(name)] = name
    began = time.monotonic_ns() - int(age * SECOND)
    slot.words[slot.base + figures.ROWS_USED] = max(place, slot.words[slot.base + figures.ROWS_USED])
    slot.words[begin + 1 : begin + 4] = memoryview(bytes(24)).cast("q")
    for index, value in enumerate((number, -began if counted else began, 77, len(name))):
        slot.words[begin + index] = value


def test_nothing_is_there_yet(board: Scoreboard) -> None:
    snapshot = Reader(board.words, "c").read()
    assert (snapshot.workers, snapshot.running, snapshot.requests, snapshot.busy_seconds) == ([], [], 0, 0)
    assert (snapshot.build, snapshot.told.events, snapshot.listeners) == ("c", [], [])


def test_totals_are_of_all_workers_that_there_ever_were(board: Scoreboard) -> None:
    first, second = ready(board), ready(board, 1)
    answer(first, 200)
    answer(second, 404, 3, SECOND // 25)
    first.clear()
    reader = Reader(board.words)
    snapshot = reader.read()
    assert [one.worker for one in snapshot.workers] == [1]
    assert (snapshot.requests, snapshot.codes) == (2, {"200": 1, "404": 1})
    assert (snapshot.durations["4xx"].counts[3], snapshot.durations["4xx"].total) == (1, 0.04)
    again = board.allocate()
    assert (again.number, reader.read().requests) == (first.number, 2)


def test_what_the_monitor_answered_is_a_timeout_and_an_error(board: Scoreboard) -> None:
    slot = ready(board)
    slow, slower = (figures.DURATION_BOUNDS.index(bound) for bound in (1.0, 5.0))
    add(slot, figures.EXPIRED + slow)
    assert Reader(board.words).read().durations["5xx"].counts[slow] == 1
    add(slot, figures.EXPIRED + slower)
    add(slot, figures.EXPIRED + HISTOGRAM - 1, 5 * SECOND)
    snapshot = Reader(board.words).read()
    assert snapshot.timeouts == {"head": 0, "body": 0, "write": 0, "rate": 0, "application": 2}
    assert (snapshot.codes, snapshot.durations["5xx"].total) == ({"504": 2}, 5.0)
    assert [snapshot.durations["5xx"].counts[bucket] for bucket in (slow, slower)] == [1, 1]  # no bucket falls
    assert (snapshot.workers[0].errors, snapshot.workers[0].requests) == (2, 2)


def test_those_that_did_not_wait_count_as_no_wait(board: Scoreboard) -> None:
    slot = ready(board)
    for _ in range(5):
        answer(slot, 200)
    add(slot, QUEUE_TIMES + 4)
    add(slot, QUEUE_TIMES + HISTOGRAM - 1, SECOND // 20)
    reader = Reader(board.words)
    assert (reader.read().queue.counts[:5], reader.read().queue.total) == ([4, 0, 0, 0, 1], 0.05)
    add(slot, QUEUE_TIMES + 4)  # one that has its thread now, and no response yet
    assert reader.read().queue.counts[:5] == [4, 0, 0, 0, 2]


def test_calls_that_run_count_with_their_age_and_are_listed_oldest_first(board: Scoreboard) -> None:
    slot = ready(board, 2, busy=2)
    add(slot, figures.BUSY_TIME, 10 * SECOND)
    run(slot, 0, b"GET /new", 1.0)
    run(slot, 64, b"POST /old", 5.0, 9, b"abc")
    run(slot, 3, b"GET /over", 50.0, 8)  # even: it has ended
    snapshot = Reader(board.words).read()
    assert [(one.method, one.path, one.request_id) for one in snapshot.running] == [
        ("POST", "/old", "abc"), ("GET", "/new", ""),
    ]
    oldest = snapshot.running[0]
    assert (oldest.worker, oldest.pid, oldest.thread) == (2, os.getpid(), 77)
    assert snapshot.busy_seconds == snapshot.workers[0].busy_seconds == pytest.approx(16.0, abs=0.5)
    assert snapshot.workers[0].oldest == oldest.seconds == pytest.approx(5.0, abs=0.5)
    assert Reader(board.words).read(details=False).running == []


def test_a_call_that_ends_does_not_make_the_busy_time_fall(board: Scoreboard) -> None:
    slot = ready(board)
    run(slot, 0, b"GET /", 7.0)
    reader = Reader(board.words)
    before = reader.read().busy_seconds
    slot.words[slot.base + CALL] = 2  # over, and its time is not added yet
    assert reader.read().busy_seconds == before
    add(slot, figures.BUSY_TIME, int(before * SECOND) + 1000)
    assert reader.read().busy_seconds == pytest.approx(before + 1e-6)


def test_a_call_that_is_counted_runs_and_is_not_counted_again(board: Scoreboard) -> None:
    slot = ready(board)
    slot.threads = 1
    run(slot, 5, b"GET /given-up", 7.0, counted=True)
    add(slot, figures.BUSY_TIME, 5 * SECOND)
    snapshot = Reader(board.words).read()
    assert [one.path for one in snapshot.running] == ["/given-up"]
    assert (snapshot.oldest, snapshot.busy_seconds) == (pytest.approx(7.0, abs=0.5), 5.0)
    assert snapshot.workers[0].saturated == 0  # another thread has its place
    slot.clear()
    assert Reader(board.words).read().busy_seconds == 5.0


def test_calls_without_a_row_count_with_their_age(board: Scoreboard) -> None:
    slot = ready(board)
    began = time.monotonic_ns() // 10**6 - 3000
    slot.words[slot.base + figures.UNSHOWN] = 2 * ((1 << figures.UNSHOWN_BITS) + began)
    assert Reader(board.words).read().busy_seconds == pytest.approx(6.0, abs=0.5)
    slot.clear()
    assert Reader(board.words).read().busy_seconds == pytest.approx(6.0, abs=0.5)


@pytest.mark.parametrize(("busy", "place", "expected"), [(0, 0, 1), (3, 0, 4), (4, 0, 4), (4, 1, 4), (1, 1, 1)])
def test_the_thread_with_the_loop_is_busy_in_a_call(board: Scoreboard, busy: int, place: int, expected: int) -> None:
    slot = ready(board, busy=busy)
    run(slot, place, b"GET /")
    assert Reader(board.words).read().threads_busy == expected


def test_the_time_of_a_call_whose_worker_died_is_kept(board: Scoreboard) -> None:
    slot = ready(board)
    run(slot, 0, b"GET /", 7.0)
    run(slot, 5, b"GET /", 9.0)
    slot.clear()
    assert Reader(board.words).read().busy_seconds == pytest.approx(16.0, abs=0.5)
    slot.clear()
    assert Reader(board.words).read().busy_seconds == pytest.approx(16.0, abs=0.5)


def test_names_come_out_as_printable_ascii(board: Scoreboard) -> None:
    run(ready(board), 0, b"G\x1b[2J /caf\xe9/\n<b>", 1.0, 1, b"\x07id")
    (one,) = Reader(board.words).read().running
    assert (one.method, one.path, one.request_id) == ("G\\x1b[2J", "/caf\\xe9/\\x0a<b>", "\\x07id")


def test_a_length_that_is_none_reads_no_further_than_the_name(board: Scoreboard) -> None:
    slot = ready(board)
    run(slot, 0, b"GET /" + b"x" * 100)
    slot.words[slot.base + CALL + figures.CALL_LENGTH] = 1 << 40
    (one,) = Reader(board.words).read().running
    assert len(f"{one.method} {one.path}".replace("\\x00", "0")) == figures.CALL_NAME_BYTES


def test_a_ready_worker_that_is_silent_is_stuck(board: Scoreboard) -> None:
    silent, pulsing, booting = (ready(board, position) for position in range(3))
    booting.state = "booting"
    for slot in (silent, pulsing, booting):
        slot.heartbeat = time.monotonic() - 2
    pulsing.pulse = 20
    assert [one.is_stuck for one in Reader(board.words).read().workers] == [True, False, False]


def test_gauges_with_times(board: Scoreboard) -> None:
    slot = ready(board, saturated=1, connections=5, queued=2, has_failed=1)
    slot.saturated_since = slot.oldest_queued = time.monotonic() - 8
    (worker,) = Reader(board.words).read().workers
    assert (worker.connections, worker.queued, worker.has_failed, worker.state) == (5, 2, True, "ready")
    assert (worker.saturated, worker.oldest_queued) == (pytest.approx(8, abs=0.5), pytest.approx(8, abs=0.5))
    slot.saturated = 0
    assert Reader(board.words).read().workers[0].saturated == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
def test_memory_and_cpu(board: Scoreboard) -> None:
    slot = ready(board, 3)
    head = board.words
    head[scoreboard.DEAD_CPU + 1], head[scoreboard.DEAD_CPU + 3] = 5 * SECOND, 100 * SECOND
    reader = Reader(board.words)
    snapshot = reader.read()
    (worker,) = snapshot.workers
    assert worker.rss > 1 << 20
    assert 0 < worker.cpu <= time.process_time() + 1
    assert snapshot.cpu == {"1": 5.0, "3": pytest.approx(100 + worker.cpu)}
    slot.pid = 1 << 22 | 1  # above any limit: it is gone, and its time is not the head's yet
    assert reader.read().cpu == snapshot.cpu


def test_the_head(board: Scoreboard) -> None:
    head = board.words
    head[scoreboard.WANTED], head[scoreboard.STARTS + 1], head[scoreboard.RELOADS + 1] = 4, 9, 2
    head[scoreboard.STOPPING] = head[scoreboard.RELOAD_FAILED] = 1
    head[scoreboard.LISTENERS] = 1
    head[scoreboard.LISTENERS + 1], head[scoreboard.LISTENERS + 2] = 12, 2048
    head[scoreboard.LISTENERS + 3 : scoreboard.LISTENERS + 5] = memoryview(b"unix:\xff/xyz.sock\0").cast("q")
    head[scoreboard.CERTIFICATES], head[scoreboard.CERTIFICATES + 1] = 1, 1_900_000_000
    head[scoreboard.CERTIFICATES + 2] = int.from_bytes(b"a.pem", "little")
    snapshot = Reader(board.words).read()
    assert (snapshot.workers_wanted, snapshot.is_stopping, snapshot.is_reload_failed) == (4, True, True)
    assert (snapshot.starts["crash"], snapshot.reloads) == (9, {"success": 0, "failure": 2})
    (listener,), (certificate,) = snapshot.listeners, snapshot.certificates
    assert (listener.address, listener.waiting, listener.limit) == ("unix:\\xff/xyz.sock", 12, 2048)
    assert (certificate.name, certificate.not_after) == ("a.pem", 1.9e9)


def test_refusals_by_code_and_by_peer(board: Scoreboard) -> None:
    first, second = ready(board), ready(board, 1)
    add(first, figures.REFUSED, 3)
    add(second, figures.REFUSED + len(figures.REFUSED_CODES) + 1)
    one, other = b"10.0.0.1", b"10.0.0.2"
    for slot, row, count, address in ((first, 0, 2, one), (first, 7, 3, other), (second, 0, 2, one)):
        begin = slot.base + figures.PEERS + row * figures.PEER_WORDS
        slot.words[begin] = count
        slot.words[begin + 1] = int.from_bytes(address, "little")
    snapshot = Reader(board.words).read()
    assert {code: count for code, count in snapshot.refused.items() if count} == {"400": 3, "none": 1}
    assert list(snapshot.refused_peers.items()) == [("10.0.0.1", 4), ("10.0.0.2", 3)]


def test_a_single_process_has_words_of_its_own_and_no_head() -> None:
    words = memoryview(bytearray(SIZE * figures.WORD)).cast("q")
    slot = Slot(words, 0)
    slot.state, slot.threads = "ready", 4
    answer(slot, 200)
    snapshot = Reader(words, has_head=False).read()
    assert (snapshot.requests, snapshot.threads, snapshot.workers_wanted) == (1, 4, 1)


def test_a_single_process_with_several_loops() -> None:
    words = figures.private_memory(3)
    live = here.serve_alone(words, "c")
    reader = here.reader()
    here.leave()
    assert reader is not None
    last = Slot(words, 2)
    last.threads = 4
    answer(last, 200)
    run(last, 0, b"GET /", 2.0)
    words[figures.HEARTBEAT] = 1
    live()
    snapshot = reader.read()
    (worker,) = snapshot.workers
    assert (worker.loops, worker.pid, worker.requests, worker.threads_busy) == (3, os.getpid(), 1, 1)
    assert (worker.is_stuck, snapshot.running[0].worker, snapshot.workers_wanted) == (False, 0, 1)


def test_a_worker_with_several_loops_is_one(board: Scoreboard) -> None:
    mine = ready(board, 1, loops=2, queued=1, connections=4, buffered=100, spooled=7, streams_waiting=1)
    ready(board, 0)
    (other,) = mine.followers
    other.threads, other.queued, other.connections, other.buffered, other.streams_waiting = 3, 2, 5, 20, 2
    add(other, figures.BUSY_TIME, 3 * SECOND)
    answer(mine, 200)
    answer(other, 500, 3, SECOND // 25)
    snapshot = Reader(board.words).read()
    assert [(one.worker, one.slot, one.loops) for one in snapshot.workers] == [(0, 3, 1), (1, 1, 2)]
    worker = snapshot.workers[1]
    assert (worker.threads, worker.queued, worker.connections, worker.buffered, worker.spooled) == (7, 3, 9, 120, 7)
    assert (worker.streams_waiting, worker.requests, worker.errors, worker.busy_seconds) == (3, 2, 1, 3.0)
    assert (worker.durations.counts[:4], worker.durations.total) == ([1, 0, 0, 1], 0.041)
    assert (snapshot.requests, snapshot.loops, snapshot.threads, snapshot.busy_seconds) == (2, 3, 11, 3.0)


def test_the_calls_of_all_loops_run_in_their_worker(board: Scoreboard) -> None:
    slot = ready(board, loops=2, busy=1)
    (other,) = slot.followers
    other.threads = 1
    run(slot, 0, b"GET /first", 2.0)
    run(slot, 1, b"GET /row", 3.0)
    run(other, 0, b"GET /second", 5.0)
    snapshot = Reader(board.words).read()
    assert [(one.path, one.worker, one.pid) for one in snapshot.running] == [
        ("/second", 0, os.getpid()), ("/row", 0, os.getpid()), ("/first", 0, os.getpid()),
    ]
    (worker,) = snapshot.workers
    assert (worker.threads_busy, worker.oldest) == (3, pytest.approx(5.0, abs=0.5))
    assert worker.busy_seconds == pytest.approx(10.0, abs=0.5)
    assert in_call(board.words, slot.bases).startswith(", in GET /second for 5.")
    assert [one[:11] for one in at_the_end(board.words, slot.bases)] == ["GET /second", "GET /row fo", "GET /first "]


def test_a_worker_is_saturated_since_the_latest_of_its_loops_is(board: Scoreboard) -> None:
    slot = ready(board, loops=2, saturated=1)
    (other,) = slot.followers
    slot.saturated_since = time.monotonic() - 8
    other.oldest_queued = time.monotonic() - 3
    reader = Reader(board.words)
    assert reader.read().workers[0].saturated == 0
    other.threads = 1
    run(other, 0, b"GET /", 5.0)
    assert reader.read().workers[0].saturated == pytest.approx(5, abs=0.5)
    other.threads, other.saturated, other.saturated_since = 4, 1, time.monotonic() - 2
    (worker,) = reader.read().workers
    assert (worker.saturated, worker.oldest_queued) == (pytest.approx(2, abs=0.5), pytest.approx(3, abs=0.5))


def test_what_all_loops_of_a_dead_worker_counted_is_kept(board: Scoreboard) -> None:
    slot = ready(board, loops=2)
    for number, one in enumerate((slot, *slot.followers), 1):
        run(one, 0, b"GET /", 7.0)
        answer(one, 200)
        add(one, figures.REFUSED, number)
        begin = one.base + figures.PEERS
        one.words[begin], one.words[begin + 1] = number, int.from_bytes(b"10.0.0.1", "little")
    reader = Reader(board.words)
    assert reader.read().refused_peers == {"10.0.0.1": 3}
    slot.clear()
    again = ready(board, loops=2)
    snapshot = reader.read()
    assert (again.number, snapshot.requests, snapshot.refused["400"], snapshot.workers[0].requests) == (1, 2, 3, 2)
    assert snapshot.busy_seconds == pytest.approx(14.0, abs=0.5)
    assert snapshot.running == []


def test_a_silent_worker_is_stuck_with_all_its_loops(board: Scoreboard) -> None:
    ready(board, loops=2).heartbeat = time.monotonic() - 2
    assert [one.is_stuck for one in Reader(board.words).read().workers] == [True]


def test_what_is_read_between_the_ends_of_two_loops_is_of_one_worker(board: Scoreboard) -> None:
    slot = ready(board, loops=3)
    slot.followers[1].clear()
    assert [(one.slot, one.loops) for one in Reader(board.words).read().workers] == [(1, 2)]


def test_nothing_falls_while_a_worker_writes(board: Scoreboard) -> None:
    """A process that ends calls as fast as it can: the busy time neither falls nor runs ahead of the clock."""
    slot = ready(board)
    slot.words[slot.base + figures.ROWS_USED] = 1
    begin = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        words, base, row = slot.words, slot.base, slot.base + ROWS
        number = 0
        while True:
            started = time.monotonic_ns()
            words[row + figures.CALL_BEGAN] = started
            words[row] = number = number + 1
            words[row + figures.CALL_BEGAN] = -started
            words[base + figures.BUSY_TIME] += time.monotonic_ns() - started
            words[row] = number = number + 1
            answer(slot, 200)
    try:
        reader, seen, requests = Reader(board.words), 0.0, 0
        while requests < 20_000:
            snapshot = reader.read()
            assert seen <= snapshot.busy_seconds <= (time.monotonic_ns() - begin) / SECOND
            assert requests <= snapshot.requests
            seen, requests = snapshot.busy_seconds, snapshot.requests
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_the_highest_value_stays() -> None:
    highest = Highest()
    assert [highest.of(1, 5), highest.of(1, 3), highest.of(2, 3), highest.of(1, 6)] == [5, 5, 3, 6]


@pytest.mark.parametrize(("threads", "saturated"), [(1, 3.0), (2, 0.0)])
def test_a_single_thread_is_busy_as_long_as_its_request_runs(board: Scoreboard, threads: int, saturated: float) -> None:
    slot = ready(board)
    slot.threads = threads
    run(slot, 0, b"GET /slow", 3.0)
    (worker,) = Reader(board.words).read().workers
    assert worker.saturated == pytest.approx(saturated, abs=2.0)
    assert bool(worker.saturated) is bool(saturated)
