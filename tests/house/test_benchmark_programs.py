"""The benchmark's C programs, floor and load, against each other."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import check
import launch
import load
import measure
import programs
from profiles import PROFILES, Profile
from servers import SERVERS

pytestmark = pytest.mark.skipif(programs.COMPILER is None or sys.platform != "linux", reason="C programs for Linux")


def drive(profile: Profile, port: int, rate: float) -> load.Load:
    """What a short load sees, or a longer one where a busy machine completes nothing."""
    seconds = 0.1
    while (seen := load.drive_at(profile, port, seconds, rate)).requests == 0 and seconds < 10:
        seconds *= 4
    return seen


@pytest.mark.parametrize("name", ["hello", "close", "pipeline", "vary", "post", "stream", "upload", "download"])
def test_load_and_floor_understand_each_other(name: str) -> None:
    profile = PROFILES[name]
    with launch.running(SERVERS["floor"], sys.executable, profile.app, measure.cores()[1]) as (_, port):
        check.check(profile, port)
        for rate in (0, 200):
            seen = drive(profile, port, rate)
            assert seen.requests > 0
            assert seen.errors == 0


def test_another_status_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "response").write_bytes(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    port = launch.free_port()
    with (tmp_path / "response").open("rb") as response, (tmp_path / "output").open("w+b") as output, \
            subprocess.Popen([programs.program("floor"), str(port), "1"], stdin=response) as process:
        launch.await_ready(process, port, output)
        seen = drive(PROFILES["hello"], port, 200)
        process.kill()
    assert seen.errors == seen.requests > 0


def test_each_request_has_its_answer_and_is_counted() -> None:
    served = []

    def serve(listener: socket.socket) -> None:
        """Answer on one connection after the other, each for as long as the client keeps it."""
        for number in range(3):
            with listener.accept()[0] as client:
                while client.recv(4096):
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    served.append(number)

    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        three = dataclasses.replace(PROFILES["hello"], connections=3)
        seen = load.drive_at(three, listener.getsockname()[1], 0.05, 0)
    assert (seen.requests, seen.errors) == (len(served), 0)
    assert served[-2:] == [1, 2], "those for which the server had no time"


def test_requests_without_an_answer_count_with_the_time_that_they_waited() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        seen = load.drive_at(PROFILES["hello"], silent.getsockname()[1], 0.3, 1000)
    assert seen.requests == 0
    assert seen.p99_ms is not None
    assert seen.p99_ms > 290, "that of the first ones, and there are more of them than connections"
