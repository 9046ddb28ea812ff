"""Applications that fork: the child speaks to nobody, and has nothing of the server's."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import forks
from fastwsgi.http.write_ahead import WriteAhead
from fastwsgi.process.spawn import fork_in_silence
from fastwsgi.server.readiness import empty
from tests.helpers.coding import kept
from tests.helpers.deployments import Deployment, deployed, is_alive, wait_for_end
from tests.helpers.processes import ISOLATED, Process, open_files, running
from tests.helpers.serving import PATIENCE, Client, request
from tests.helpers.simple_servers import ask as ask_simple
from tests.helpers.simple_servers import quiet_server, served
from tests.helpers.waiting import until

FORKING = ISOLATED / "forking.py"
SHAPES = {
    "serve": ("serve", {"threads": 1}),
    "serve-4": ("serve", {"threads": 4}),
    "make_server": ("make_server", {}),
    "w1": ("workers", {"workers": 1, "threads": 1}),
    "w2-4": ("workers", {"workers": 2, "threads": 4}),
}


@pytest.fixture(params=["c", "py"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def forking(shape: str, backend: str, folder: Path, **more: Any) -> Iterator[Process]:
    """A server of the application that forks."""
    front, settings = SHAPES[shape]
    settings = {**settings, **more}
    if front == "workers":
        with deployed(folder, backend, FORKING.read_text(), **settings) as server:
            yield server
    else:
        given = [f"{key}={value!r}" for key, value in settings.items()]
        with running([str(FORKING), front, *given], backend) as server:
            yield server


def ask(server: Process, target: str) -> bytes:
    """The body of the answer to a request, behind which nothing else may come, nor before the next one's."""
    with server.connect() as client:
        body = client.send(request(target=target)).answer().body
        assert client.send(request(target="/", fields=[("Connection", "close")])).answer().body == b"hello"
        assert (client.rest(), client.end) == (b"", "closed")
    return body


ENDS = {
    "/call/return": b"0",
    "/call/exit": b"3",
    "/call/says": b"1",
    "/call/os-exit": b"4",
    "/call/raise": b"1",
    "/call/interrupt": b"-2",
    "/call/atexit": b"5",
    "/call/thread": b"6",
    "/call/grandchild": b"7",
    "/write": b"begun 0",
    "/piece/yield": b"begun 0",
    "/piece/end": b"begun 0",
    "/piece/exit": b"begun 3",
    "/piece/raise": b"begun 1",
    "/close/return": b"whole",
    "/close/exit": b"whole",
    "/thread/return": b"0",
    "/thread/os-exit": b"4",
    "/iter": b"0",
    "/stopped": b"-15",
    "/terminated": b"-15 45",
    "/long-lived": b"0 3",
    "/programs": b"8 8 8 8 8",
    "/daemon": b"daemon 0",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_child_that_leaves_the_application_ends(shape: str, backend: str, tmp_path: Path) -> None:
    log = tmp_path / "access"
    more = {} if shape == "make_server" else {"access_logfile": str(log), "access_log_format": "%(U)s %(s)s"}
    with forking(shape, backend, tmp_path, **more) as server:
        assert {target: ask(server, target) for target in ENDS} == ENDS
        server.signal(signal.SIGINT if shape == "make_server" else signal.SIGTERM)
        code = server.wait()
    assert code == (-signal.SIGINT if shape == "make_server" else 0)
    text = "\n".join(server.seen)
    assert "the child says why" in text
    assert text.count("ValueError: of the child") == 2
    assert "close b'3'" in text
    assert "the application failed" not in text
    assert "internal error" not in text
    assert "to be replaced" not in text
    if more:
        lines = log.read_text().splitlines()
        assert sorted(lines) == sorted([f"{target} 200" for target in ENDS] + ["/ 200"] * len(ENDS))


# Children that live on


@contextmanager
def living(server: Process, target: str = "/stay") -> Iterator[tuple[int, Client]]:
    """A child that waits for a signal, and the client, which has read its process ID by HTTP/1.0 to the end."""
    with server.connect() as client:
        head, _, body = client.send(request(target=target, version="1.0")).rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    pid = int(body)
    try:
        yield pid, client
    finally:
        os.kill(pid, signal.SIGKILL)


def held_by(pid: int) -> list[str]:
    """What a process has open, besides its standard streams; without what it closes meanwhile.

    Since 3.5, libffi keeps its own file open for what the application imports with ctypes.
    """
    held = [path for fd, path in open_files(pid).items() if fd > 2]
    return [path for path in held if "/libffi.so" not in path]


def held_by_any(server: Process) -> list[str]:
    """What a server and its workers have open."""
    workers = server.children() if isinstance(server, Deployment) else set()
    return [path for pid in (server.pid, *workers) for path in held_by(pid)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_child_that_lives_has_nothing(shape: str, backend: str, tmp_path: Path) -> None:
    own = shape == "make_server"
    more = {} if own else {"access_logfile": str(tmp_path / "log"), "keep_alive": 1, "spool_size": 1024}
    data = os.urandom(300_000)
    with forking(shape, backend, tmp_path, **more) as server, server.connect() as idle, server.connect() as slow:
        idle.send(request()).answer()
        address = slow.socket.getpeername()
        upload = request("POST", "/body", body=data)
        slow.send(upload[:200_000])
        until(lambda: own or any(path.endswith("(deleted)") for path in held_by_any(server)))  # it is in a file
        with living(server) as (pid, client), living(server, "/cut") as (_, other):
            assert (client.end, other.end) == ("closed", "reset")
            until(lambda: held_by(pid) == [])  # the parent may answer before the child has closed all
            digest = hashlib.sha256(data).hexdigest().encode()
            assert slow.send(upload[200_000:]).answer().body == digest
            if not own:
                assert (idle.rest(), idle.end) == (b"", "closed")
            server.signal(signal.SIGINT if own else signal.SIGTERM)
            assert server.process.wait(PATIENCE) == (-signal.SIGINT if own else 0)
            with socket.socket() as another:
                another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                another.bind(address)
                another.listen()
            assert is_alive(pid)


def test_workers_are_reloaded_and_end_beside_it(backend: str, tmp_path: Path) -> None:
    with forking("w2-4", backend, tmp_path) as server, living(server):
        assert isinstance(server, Deployment)
        before = server.workers(2)
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        for pid in before:
            wait_for_end(pid)
        after = server.workers(2)
        with living(server):
            server.process.kill()
            for pid in after:
                wait_for_end(pid)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signal_handler_of_the_application_may_fork(shape: str, backend: str, tmp_path: Path) -> None:
    with forking(shape, backend, tmp_path) as server:
        pid = int(ask(server, "/pid"))
        for number, code in ((signal.SIGRTMIN, "9"), (signal.SIGRTMAX, "0")):
            os.kill(pid, number)
            assert server.line("handler b'(.*)'")[1] == code, server.seen
        assert ask(server, "/") == b"hello"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods_work(method: str, backend: str) -> None:
    command = ["-m", "fastwsgi", "forking:app", "--pythonpath", str(ISOLATED), "--bind", "127.0.0.1:0", "-w", "2"]
    with running(command, backend) as server:
        assert ask(server, f"/started/{method}") == b"0 3"
        server.signal()
        assert server.wait() == 0


# Forks outside of requests

AT_IMPORT = """
import multiprocessing, os, signal, sys
if os.fork() == 0:
    sys.exit(3)
print("left with", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
if (pid := os.fork()) == 0:
    signal.pause()
print("child", pid, flush=True)
POOL = multiprocessing.get_context("fork").Pool(1)

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""
CHECKED = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return [b"hello"]
"""
CONFIG = """
def when_ready(server):
    import os, sys
    pid = os.fork()
    if pid == 0:
        return
    print("hook", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_an_application_forks_while_it_is_loaded(preload: str, backend: str, tmp_path: Path) -> None:
    (tmp_path / "at_import.py").write_text(AT_IMPORT)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIG)
    pid_file = tmp_path / "pid"
    command = ["-m", "fastwsgi", "at_import:app", "--chdir", str(tmp_path), "-c", str(tmp_path / "gunicorn.conf.py")]
    more = ["--bind", "127.0.0.1:0", "-w", "1", "--pid", str(pid_file), *([preload] if preload == "--preload" else [])]
    with running(command + more, backend) as server:
        assert server.line("left with (.*)")[1] == "3"
        pid = int(server.line("child (.*)")[1])
        assert ask(server, "/") == b"hello"
        assert "hook 0" in server.seen
        until(lambda: held_by(pid) == [])  # it may not have come as far as to close them
        assert pid_file.read_text() == f"{server.pid}\n"
        os.kill(pid, signal.SIGTERM)  # whose default it has
        wait_for_end(pid)
        assert ask(server, "/") == b"hello"
        server.signal()
        assert server.wait() == 0
    assert not pid_file.exists()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # from Python 3.12 on
def test_make_server_in_a_thread_goes_on() -> None:
    with quiet_server() as server, served(server):
        assert ask_simple(server).body == b"hello"
        pid = os.fork()
        if pid == 0:
            with ending():
                server.shutdown()
                server.server_close()
                with quiet_server() as another, served(another):
                    assert ask_simple(another).body == b"hello"
        assert os.waitpid(pid, 0)[1] == 0
        assert ask_simple(server).body == b"hello"


def test_a_server_may_be_made_before_the_fork() -> None:
    with quiet_server() as server:
        pid = os.fork()
        if pid == 0:
            with ending(), served(server):
                assert ask_simple(server).body == b"hello"
        assert os.waitpid(pid, 0)[1] == 0


@contextmanager
def ending() -> Iterator[None]:
    """In a child of the tests: end behind the block, 0 if nothing was raised."""
    code = 1
    try:
        yield
        code = 0
    finally:
        os._exit(code)


def test_temporary_files_are_the_parents(build: SimpleNamespace) -> None:
    """The child has the same file, and in its memory what the parent has not written yet."""
    holdings, disk = kept(4)
    inbox, ahead, body = build.inbox.Inbox(), WriteAhead(disk, [b"begun "]), build.body.Body(11, holdings, disk)
    inbox.fill(b"begun ")
    assert not body.feed(inbox)
    pid = os.fork()
    if pid == 0:
        with ending():
            ahead.disown()
            body.disown()
            del ahead, body
            gc.collect()
    assert os.waitpid(pid, 0)[1] == 0
    ahead.append([b"ended"])
    inbox.fill(b"ended")
    assert body.feed(inbox)
    with body.rewind() as file:
        assert (ahead.next(), file.read()) == (b"begun ended", b"begun ended")
    assert ahead.next() == b""


def test_a_check_is_made_once(tmp_path: Path) -> None:
    (tmp_path / "checked.py").write_text(CHECKED)
    with running(["-m", "fastwsgi", "checked:app", "--check", "--chdir", str(tmp_path)], "py") as process:
        assert process.wait() == 0
    assert sum("would be served" in line for line in process.seen) == 1


def test_a_waker_that_nothing_has_woken() -> None:
    """Another process may have read what has woken it: a fork in C, which runs no hooks."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    empty(reader)
    os.write(writer, b"\0\0")
    empty(reader)
    empty(reader)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):  # the application has closed it: no end of a loop's waits
        empty(reader)
    os.close(reader)


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_child_of_make_server_can_read_the_body_of_its_request(size: int) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        pid = os.fork()
        if pid == 0:
            with ending():
                assert len(environ["wsgi.input"].read()) == size
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        start_response("200 OK", [])
        return [b"%d" % code]

    with served(quiet_server(app)) as server:
        assert ask_simple(server, request("POST", body=b"x" * size)).body == b"0"


class Owner:
    """Ends a child that disowns it."""

    def disown(self) -> None:
        os._exit(7)


class Passing:
    """Has nothing to disown."""

    def disown(self) -> None:
        pass


def test_other_threads_may_hold_and_release_during_a_fork() -> None:
    """As loops and their temporary files do: no child waits for a lock that is held in a thread it does not have."""
    owner, ended = Owner(), threading.Event()
    forks.hold(owner)

    def come_and_go() -> None:
        while not ended.is_set():
            passing = Passing()
            forks.hold(passing)
            with forks.sparing(passing):
                forks.release(passing)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            child = fork_in_silence()
            if child == 0:
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        forks.release(owner)
