"""What may be secret stays out of the error log, the trace, the printed configuration and the process list."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.http.naming import request_name
from fastwsgi.observe.trace import Trace
from fastwsgi.settings.settings import SETTINGS
from tests.helpers.memory import Bench
from tests.helpers.processes import Process
from tests.helpers.serving import request

SECRET = "hunter2"
FIELDS = [
    ("Authorization", f"Basic {SECRET}"),
    ("proxy-authorization", f"Bearer {SECRET}"),
    ("COOKIE", f"session={SECRET}"),
    ("X-Other", "seen"),
]


def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Fails after it has given a cookie."""
    start_response("200 OK", [("Set-Cookie", f"session={SECRET}"), ("Content-Length", "2")])
    yield b"1"


def test_the_trace_shows_the_size_of_credentials(build: SimpleNamespace) -> None:
    stream = io.StringIO()
    bench = Bench(build, failing, Trace(stream))
    bench.connect().send(request(fields=FIELDS))
    text = stream.getvalue()
    assert SECRET not in text
    assert "Authorization: (13 bytes)" in text
    assert "COOKIE: (15 bytes)" in text
    assert "Set-Cookie: (15 bytes)" in text
    assert "X-Other: seen" in text


def test_the_error_log_leaves_queries_out(build: SimpleNamespace) -> None:
    bench = Bench(build, failing)
    bench.connect().send(request(target=f"/reset?token={SECRET}"))
    assert "GET /reset?..." in str(bench.errors)
    assert SECRET not in str(bench.errors)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"REQUEST_METHOD": "GET", "RAW_URI": "/a/b"}, "GET /a/b"),
        ({"REQUEST_METHOD": "GET", "RAW_URI": "/a?"}, "GET /a?..."),
        ({"REQUEST_METHOD": "GET", "RAW_URI": "/a?b?c"}, "GET /a?..."),
        ({"REQUEST_METHOD": "OPTIONS", "RAW_URI": "*"}, "OPTIONS *"),
        ({}, "? ?"),
        ({"RAW_URI": None}, "? ?"),
    ],
)
def test_names_of_requests(environ: dict[str, Any], name: str) -> None:
    assert request_name(environ) == name


def test_the_printed_configuration_hides_values_of_variables() -> None:
    assert SETTINGS["env"].kind.show([f"KEY={SECRET}", "EMPTY="]) == "KEY=... EMPTY=..."


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_the_process_list_does_not_show_arguments() -> None:
    pytest.importorskip("setproctitle")
    arguments = ["-m", "fastwsgi", "fastwsgi.demo:app", "-b", "127.0.0.1:0", "--env", f"KEY={SECRET}"]
    process = Process(arguments, "py")
    try:
        process.line("listening on")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        titles = [Path(f"/proc/{pid}/cmdline").read_text() for pid in [str(process.pid), *children]]
        assert [title.rstrip("\0") for title in titles] == ["fastwsgi: supervisor", "fastwsgi: worker"]
    finally:
        process.end()
