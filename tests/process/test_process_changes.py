"""What an application changes in its process does not disturb the server: it answers, logs, reloads and stops."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.process_changes import CHANGES, site
from tests.helpers.processes import Process
from tests.helpers.serving import request

NEEDED = ("eventlet", "freezegun", "gevent")
pytestmark = pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="one of the packages to try is missing")

OPTIONS = "--bind 127.0.0.1:0 --access-logfile access.log --pid pid --request-id make --graceful-timeout 20"


@contextmanager
def serving_site(folder: Path, backend: str, options: str = "") -> Iterator[Process]:
    """The command, with the application of process_changes."""
    (folder / "site_app.py").write_text(site())
    (folder / "at_import").touch()
    command = f"-m fastwsgi site_app:app --chdir {folder} {OPTIONS} {options}"
    process = Process(command.split(), backend)
    try:
        process.connect().socket.close()
        yield process
    finally:
        process.end()


def check(process: Process, mark: str) -> None:
    """It answers, with the right Date; tracebacks and wsgi.errors are logged."""
    seen = set()
    for path, status in (("/", 200), ("/log", 200), ("/fail", 500), ("/", 200)):
        with process.connect() as client:
            answer = client.send(request(target=f"{path}?{mark}")).answer()
        assert answer.status == status, process.seen
        seen.add(answer.body)
        date = parsedate_to_datetime(answer.get("Date") or "")
        assert abs(date.timestamp() - time.time()) < 5
    assert len(seen) == 4
    process.line(rf"(ERROR )?{mark}$")
    process.line(rf"ArithmeticError: {mark}$")


def reload(process: Process) -> None:
    """Have the supervisor start another worker, and end the one in which something is changed."""
    process.signal(signal.SIGHUP)
    process.line("reload complete")


def stop(process: Process) -> None:
    """It ends at once, and has met no error of its own."""
    process.signal(signal.SIGTERM)
    assert process.wait() == 0, process.seen
    assert [line for line in process.seen if "internal error" in line or "Warning" in line] == []


def lines_of(folder: Path, mark: str) -> int:
    """The number of lines of the access log with *mark*."""
    return (folder / "access.log").read_text().count(f"?{mark} ")


def test_changes_in_requests(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 1") as process:
        for number, name in enumerate(CHANGES):
            with process.connect() as client:
                assert client.send(request(target=f"/change?{name.replace(' ', '+')}")).answer().status == 200, name
            check(process, f"mark{number}.")
            reload(process)
        stop(process)
    assert [name for number, name in enumerate(CHANGES) if lines_of(tmp_path, f"mark{number}.") != 4] == []


def test_changes_at_import(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 4 --timeout 30") as process:
        for number, name in enumerate(CHANGES):
            (tmp_path / "at_import").write_text(name)
            reload(process)
            check(process, f"mark{number}.")
        stop(process)
    assert [name for number, name in enumerate(CHANGES) if lines_of(tmp_path, f"mark{number}.") != 4] == []
