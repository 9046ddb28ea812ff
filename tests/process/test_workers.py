"""Worker processes: they share the listeners, are replaced when they die, and end with their supervisor."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.deployments import SITE, deployed, is_alive, starting, wait_for_end
from tests.helpers.processes import running
from tests.helpers.serving import GET, PATIENCE, request
from tests.helpers.traffic import Load


def test_as_many_as_asked_for_serve_and_end_with_a_stop(build: SimpleNamespace, tmp_path: Path) -> None:
    with deployed(tmp_path, build.name, workers=3) as server:
        workers = server.workers(3)
        assert server.children() == workers
        server.signal()
        assert server.wait() == 0
        assert not any(is_alive(pid) for pid in workers)
    assert not any("Traceback" in line for line in server.seen)


def test_killed_workers_are_replaced_at_once(tmp_path: Path) -> None:
    """Only what was in flight on the killed worker is lost."""
    with deployed(tmp_path, workers=2) as server:
        server.workers(2)
        with Load(server.address, kept=2, new=2) as load:
            for _ in range(3):
                before = server.children()
                victim = min(before)
                began = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                while len(server.children() - {victim}) < 2:  # ci/faults.py holds it to 100 ms
                    assert time.monotonic() - began < PATIENCE
                load.more(20)
                server.workers(2)
        assert len(load.lost) <= 3 * 4  # each client has one request in flight
        assert not any(loss.startswith("connect") for loss in load.lost)
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 11)", "os.kill(os.getpid(), 9)"])
def test_a_worker_that_dies_in_the_application_harms_nobody_else(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASAN_OPTIONS", "handle_segv=0")  # ci/sanitize.sh: this one is meant
    with deployed(tmp_path, "py", SITE.replace("os._exit(3)", how), workers=2) as server:
        server.workers(2)
        with server.connect() as client:
            client.send(request(target="/exit")).rest()
        server.line("worker [0-9]+ (ended with exit code 3|was killed by SIG).*another takes its place")
        server.workers(2)


def test_what_waits_in_the_queue_outlives_the_only_worker(tmp_path: Path) -> None:
    with deployed(tmp_path, workers=1) as server:
        with server.connect() as slow, server.connect() as queued:
            slow.send(request(target="/wait?30"))
            server.line("entered")
            queued.send(GET)
            (worker,) = server.children()
            os.kill(worker, signal.SIGKILL)
            assert queued.answer().body == b"one"
            slow.rest()


def test_a_first_boot_that_fails_ends_with_one_traceback(tmp_path: Path) -> None:
    with starting(tmp_path, source="def app(:\n", workers=3) as server:
        assert server.wait() == 1
    assert sum("SyntaxError" in line for line in server.seen) == 1
    assert sum(line.startswith("fastwsgi: site cannot be imported") for line in server.seen) == 1


def test_a_log_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    with starting(tmp_path, "py", workers=1, access_logfile=str(tmp_path / "none" / "log")) as server:
        assert server.wait() == 2
    assert not any("Traceback" in line for line in server.seen)
    assert any(f"{tmp_path}/none/log" in line for line in server.seen)


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("import os; os._exit(0)", 1, "the first worker ended with exit code 0 while it loaded site"),
        ("import os; os._exit(7)", 7, "the first worker ended with exit code 7 while it loaded site"),
        ("import os; os.abort()", 134, "the first worker was killed by SIGABRT while it loaded site"),
    ],
)
def test_a_first_worker_that_dies_gives_its_exit_code_but_never_0(
    tmp_path: Path, source: str, code: int, line: str
) -> None:
    with starting(tmp_path, source=source, workers=2) as server:
        assert server.wait() == code
    assert sum(line in one for one in server.seen) == len(server.seen) == 1


def test_a_preloaded_application_that_ends_the_process_is_told(tmp_path: Path) -> None:
    with starting(tmp_path, "py", "import os; os._exit(7)", workers=2, preload=True) as server:
        assert server.wait() == 7
    assert any("site ends the process when imported: os._exit(7)" in line for line in server.seen)


# Parts, since Python does not see a signal that comes just before a wait until that has ended
LOADING = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.01)\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_ends_the_loading_before_the_fork(tmp_path: Path, number: signal.Signals) -> None:
    with starting(tmp_path, "py", LOADING, preload=True) as server:
        server.line("begun")
        server.signal(number)
        assert server.wait() == 0
    assert "INFO stopped" in server.seen[-1]


@pytest.mark.parametrize("preload", [False, True])
def test_one_that_takes_long_to_load_is_told(tmp_path: Path, preload: bool) -> None:
    """Also one that holds the GIL, as sleep() of a library loaded by ctypes.PyDLL does."""
    held = "import ctypes; ctypes.PyDLL(None).usleep(3_200_000)\n" if not preload else "import time; time.sleep(3.2)\n"
    with starting(tmp_path, "py", held + SITE, workers=1, preload=preload) as server:
        server.line("loading site since [3-9] s")
        assert server.begin().ask() == b"one"


def test_workers_that_die_before_they_are_ready_are_tried_more_and_more_slowly(tmp_path: Path) -> None:
    with deployed(tmp_path, workers=2) as server:
        first, second = server.workers(2)
        server.write("import os; os._exit(4)")
        os.kill(first, signal.SIGKILL)
        delays = [float(server.line("exit code 4 before it was ready; the next try in ([0-9.]+) s")[1]) for _ in "123"]
        assert delays == [0.2, 0.4, 0.8]
        assert server.ask("/pid") == str(second).encode()  # it has served all the time
        server.write(SITE)
        server.workers(2)


def test_workers_that_die_right_after_they_are_ready_are_not_forked_on_and_on(tmp_path: Path) -> None:
    source = SITE + "\nimport threading\n"
    with deployed(tmp_path, "py", source, workers=1) as server:
        (worker,) = server.workers(1)
        server.write(source + "threading.Timer(0.01, os._exit, [6]).start()\n")
        os.kill(worker, signal.SIGKILL)
        server.line("exit code 6 right after it was ready, as those before it; the next try in 0.2 s")
        assert sum("exit code 6; another takes its place" in line for line in server.seen) <= 3
        server.write(SITE)
        server.workers(1)


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """Also one in the middle of a request, which is answered."""
    with deployed(tmp_path, "py", workers=2) as server:
        workers = server.workers(2)
        with server.connect() as client:
            client.send(request(target="/held"))
            server.line("entered")
            server.signal(signal.SIGKILL)
            while server.accepts():
                pass  # both must have seen it
            server.let_go()
            answer = client.answer()
            assert (answer.body, answer.get("Connection")) == (b"one", "close")
        for pid in workers:
            wait_for_end(pid)


def test_a_worker_that_is_stopped_does_not_hide_that_death_from_the_others(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=2) as server:
        first, second = sorted(server.workers(2))
        os.kill(second, signal.SIGSTOP)
        try:
            server.signal(signal.SIGKILL)
            wait_for_end(first)
        finally:
            os.kill(second, signal.SIGKILL)


def test_a_boot_that_hangs_ends_with_the_supervisor(tmp_path: Path) -> None:
    source = "import signal\nprint('importing', flush=True)\nsignal.sigtimedwait([signal.SIGRTMIN], 60)"
    with starting(tmp_path, "py", source, workers=2) as server:
        server.line("importing")
        (worker,) = server.children()
        server.signal(signal.SIGKILL)
        wait_for_end(worker)


def test_one_worker_more_and_one_fewer(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1) as server:
        server.workers(1)
        server.signal(signal.SIGTTIN)
        workers = server.workers(2)
        server.signal(signal.SIGTTOU)
        server.line("1 worker from now on")
        while len(server.children()) > 1:
            assert server.ask() == b"one"
        assert server.children() < workers
        server.signal(signal.SIGTTOU)  # never below one
        server.workers(1)


def test_a_sigterm_for_a_worker_alone_replaces_it_without_loss(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1) as server:
        (worker,) = server.workers(1)
        with Load(server.address, kept=1, new=1) as load:
            load.more(5)
            os.kill(worker, signal.SIGTERM)
            server.line("is to be replaced: it got SIGTERM")
            wait_for_end(worker)
            load.more(5)
        assert load.lost == []


def test_orphans_of_others_are_reaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PID 1 of a container must: here the supervisor is made the reaper of its descendants."""
    monkeypatch.setenv("ADOPT_ORPHANS", "1")
    source = SITE + """
import subprocess
def app(environ, start_response):
    start_response("200 OK", [])
    orphan = subprocess.run(["sh", "-c", "sleep 0.05 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True)
    return [orphan.stdout.strip().encode()]
"""
    with deployed(tmp_path, "py", source, workers=1) as server:
        orphan = int(server.ask())
        wait_for_end(orphan)
        while is_alive(orphan):
            assert server.process.poll() is None


def test_children_of_a_preloaded_application_are_its_own(tmp_path: Path) -> None:
    """It gets the exit code of a program that it started, although workers end meanwhile."""
    source = SITE + """
import subprocess, threading
until = "while [ ! -e $0 ]; do sleep 0.01; done; exit 7"
child = subprocess.Popen(["sh", "-c", until, os.path.join(sys.argv[1], "go")])
def wait():
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    while not os.path.exists(os.path.join(sys.argv[1], "replaced")):
        signal.sigtimedwait([], 0.01)
    print("child:", child.wait(), flush=True)
threading.Thread(target=wait).start()
"""
    with deployed(tmp_path, "py", source, workers=1, preload=True) as server:
        (worker,) = server.workers(1)
        server.let_go()
        os.kill(worker, signal.SIGKILL)
        server.line("another takes its place")
        server.workers(1)
        server.write("", "replaced")
        server.line("child: 7")


SERVE = """
import os, tempfile, fastwsgi
def app(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
with tempfile.TemporaryDirectory() as kept:
    fastwsgi.serve(app, bind="127.0.0.1:0", workers=2)
    assert os.path.exists(kept)
print("returned", os.getpid())
"""


def test_serve_returns_in_the_supervisor_alone() -> None:
    """Workers do not get into the program that called it, whose files would be cleaned up by each."""
    with running(["-c", SERVE], "py") as server:
        with server.connect() as client:
            assert int(client.send(GET).answer().body) != server.pid
        server.signal()
        assert int(server.line("returned ([0-9]+)")[1]) == server.pid
        assert server.wait() == 0
        assert sum("returned" in line for line in server.seen) == 1


def test_what_the_application_registered_at_exit_is_called(tmp_path: Path) -> None:
    source = SITE + "\nimport atexit\natexit.register(print, 'flushed', flush=True)\n"
    with deployed(tmp_path, "py", source, workers=1) as server:
        server.signal()
        assert server.wait() == 0
        assert "flushed" in server.seen
