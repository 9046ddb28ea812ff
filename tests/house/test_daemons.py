"""The server's own threads, which leave what an application starts in them to be waited for."""

from __future__ import annotations

import contextvars
import decimal
import threading
from pathlib import Path

import pytest

import fastwsgi
from fastwsgi.daemon import Daemon

PACKAGE = Path(fastwsgi.__file__).parent


def test_threads_started_in_one_are_none_of_its_kind() -> None:
    made: list[threading.Thread] = []

    def work() -> None:
        made.append(threading.Thread(target=work))
        made.append(threading.Timer(1, work))

    ours = Daemon(work, "ours")
    assert ours.daemon
    ours.start()
    ours.join()
    assert [one.daemon for one in made] == [False, False]


def test_the_interpreter_does_not_wait_for_one() -> None:
    held = threading.Event()
    ours = Daemon(lambda: held.wait() and None, "ours")
    ours.start()
    waited_for = getattr(threading, "_shutdown_locks", None)  # until Python 3.12
    if waited_for is not None:
        assert ours._tstate_lock not in waited_for  # type: ignore[attr-defined]
    held.set()
    ours.join()


def test_it_begins_without_what_the_thread_that_starts_it_has_in_its_context() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    found: list[object] = []

    def work() -> None:
        found.extend([variable.get(), decimal.getcontext()])

    def start() -> None:
        variable.set("left by a request")
        found.append(decimal.getcontext())
        ours = Daemon(work, "ours")
        ours.start()
        ours.join()

    contextvars.Context().run(start)
    theirs, value, own = found
    assert value == "none"
    assert own is not theirs


def test_it_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError):
        Daemon(lambda: None, "ours").daemon = False


def test_all_threads_of_the_server_are_of_this_kind() -> None:
    texts = {path: path.read_text() for path in PACKAGE.rglob("*.py") if path.name not in ("daemon.py", "demo.py")}
    assert [path for path, text in texts.items() if "threading.Thread(" in text or "(threading.Thread)" in text] == []
