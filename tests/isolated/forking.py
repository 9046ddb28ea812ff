"""An application that forks, and two servers of it: forking.py serve|make_server [SETTING=VALUE ...]

The path says what the child does; the answer is its exit code, which the parent waits for, or what else it has seen.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

FORK = multiprocessing.get_context("fork")
LIVING: list[Any] = []  # processes that live on


def ended(pid: int) -> list[bytes]:
    """The exit code of a child, once it has ended."""
    return [b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


class Closed:
    """An iterable, of which the child leaves the close() in some way."""

    def __init__(self, way: str) -> None:
        self.way = way

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"whole"])

    def close(self) -> None:
        pid = os.fork()
        if pid == 0:
            leave(self.way)
            return
        print("close", *ended(pid), flush=True)


def leave(way: str) -> list[bytes]:
    """Leave the application in the child."""
    if way == "exit":
        sys.exit(3)
    if way == "says":
        sys.exit("the child says why")
    if way == "os-exit":
        os._exit(4)
    if way == "raise":
        raise ValueError("of the child")
    if way == "interrupt":
        raise KeyboardInterrupt
    if way == "atexit":
        atexit.register(lambda: os._exit(5))
    if way == "thread":
        threading.Thread(target=lambda: (time.sleep(0.05), os._exit(6)), daemon=False).start()
    if way == "grandchild":
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        sys.exit(int(ended(pid)[0]))
    return [b"of the child"]


def pieces(way: str) -> Iterator[bytes]:
    """A stream, in the middle of which the child leaves."""
    yield b"begun "
    pid = os.fork()
    if pid == 0:
        if way == "yield":
            yield b"of the child"
        elif way != "end":
            leave(way)
        return
    yield from ended(pid)


def elsewhere(way: str) -> list[bytes]:
    """Fork on a thread of the application's own."""
    codes: list[bytes] = []

    def work() -> None:
        pid = os.fork()
        if pid == 0:
            if way == "os-exit":
                os._exit(4)
            return
        codes.extend(ended(pid))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return codes


def stay() -> list[bytes]:
    """Start a child that lives on; its process ID."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return [b"%d" % pid]


def stopped() -> list[bytes]:
    """Stop children the moment they are forked: their exit codes."""
    codes = set()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        os.kill(pid, signal.SIGTERM)
        codes |= set(ended(pid))
    return sorted(codes)


class Forked:
    """An iterable of which __iter__() forks."""

    def __iter__(self) -> Iterator[bytes]:
        pid = os.fork()
        return iter([b"of the child"] if pid == 0 else ended(pid))


def started(method: str) -> list[bytes]:
    """Start a process and a pool in the way *method*."""
    context = multiprocessing.get_context(method)
    process = context.Process(target=abs, args=(1,))
    process.start()
    process.join()
    with context.Pool(1) as pool:
        return [b"%d %d" % (process.exitcode or 0, sum(pool.map(abs, [-1, -2])))]


def fork_on(number: int, frame: object) -> None:
    """Fork in the handler of a signal, wherever that comes."""
    pid = os.fork()
    if pid:
        print("handler", *ended(pid), flush=True)
    elif number == signal.SIGRTMIN:
        sys.exit(9)


def cut() -> Iterator[bytes]:
    """Fail in the middle of a stream, while a child lives."""
    yield from stay()
    raise ValueError("cut")


def terminated() -> list[bytes]:
    """Stop a process by terminate(), and a pool."""
    process = FORK.Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join()
    with FORK.Pool(2) as pool:
        total = sum(pool.map(abs, range(-9, 0)))
        pool.terminate()
        pool.join()
    return [b"%d %d" % (process.exitcode or 0, total)]


def long_lived() -> list[bytes]:
    """Use a pool that lives on, and fork a child beside it that returns."""
    if not LIVING:
        LIVING.append(FORK.Pool(1))
    (pool,) = LIVING
    pid = os.fork()
    if pid == 0:
        return []
    return [*ended(pid), b" %d" % sum(pool.map(abs, [-1, -2]))]


def programs() -> list[bytes]:
    """Start programs in all ways: how each has ended."""
    command = [sys.executable, "-S", "-c", "import sys; sys.exit(8)"]
    codes = [
        subprocess.run(command).returncode,
        subprocess.run(command, close_fds=False).returncode,
        subprocess.run(command, preexec_fn=lambda: os.nice(1)).returncode,
        os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)[1]),
    ]
    pid = os.fork()
    if pid == 0:
        os.execv(command[0], command)
    codes.append(int(ended(pid)[0]))
    return [" ".join(map(str, codes)).encode()]


def daemon() -> list[bytes]:
    """Fork twice, as daemons do: what the grandchild writes."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, b"daemon")
        return []
    os.close(writer)
    code = ended(pid)[0]
    with open(reader, "rb") as file:
        return [file.read(), b" ", code]


def app(environ: dict[str, Any], start_response: Any) -> Any:
    kind, _, way = environ["PATH_INFO"][1:].partition("/")
    write = start_response("200 OK", [])
    if kind == "pid":
        return [b"%d" % os.getpid()]
    if kind == "call":
        pid = os.fork()
        return leave(way) if pid == 0 else ended(pid)
    if kind == "write":
        write(b"begun ")
        pid = os.fork()
        if pid == 0:
            write(b"of the child")
            return []
        return ended(pid)
    if kind == "piece":
        return pieces(way)
    if kind == "close":
        return Closed(way)
    if kind == "thread":
        return elsewhere(way)
    if kind == "body":
        return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]
    if kind == "cut":
        return cut()
    if kind == "iter":
        return Forked()
    if kind == "started":
        return started(way)
    return {
        "stay": stay,
        "stopped": stopped,
        "terminated": terminated,
        "long-lived": long_lived,
        "programs": programs,
        "daemon": daemon,
        "": lambda: [b"hello"],
    }[kind]()


def main() -> None:
    from fastwsgi import backend, make_server
    from fastwsgi.notices import Notices
    from fastwsgi.process.single import run
    from fastwsgi.settings.settings import Settings

    front, *settings = sys.argv[1:]
    values = {key: ast.literal_eval(value) for key, _, value in (one.partition("=") for one in settings)}
    if front == "serve":
        run(app, Settings(**{"bind": ["127.0.0.1:0"], **values}), backend.current(), Notices())
    else:
        server = make_server("127.0.0.1", 0, app)
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGRTMIN, fork_on)
    signal.signal(signal.SIGRTMAX, fork_on)
if __name__ == "__main__":
    main()
