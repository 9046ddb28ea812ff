"""The end of a forked process, as an interpreter ends, but without a `finally` of whoever forked it.

A child that the application forks runs on in the middle of the server. When it leaves the application, by return or by
an exception, it must not go on there: it ends, with the exit code that a Python program would have.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import traceback
from types import TracebackType
from typing import NoReturn

from fastwsgi.originals import os, signal, threading


class Contained:
    """A block that a child forked inside it does not leave: the child ends there."""

    def __enter__(self) -> None:
        self._pid = os.getpid()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._pid:
            leave(error)


def leave(error: BaseException | None = None) -> NoReturn:
    """End this process, a fork that has left the application, by *error* or else by return."""
    code = 0 if error is None else _report(error)
    _forget_siblings()
    end_process(code)


def end_process(code: int) -> NoReturn:
    """End with an exit code, or -SIGINT, after all that an interpreter does for a program at its end; in any thread.

    Threads and executors are waited for, then exit functions run, then the standard streams are flushed.
    """
    for step in (threading._shutdown, atexit._run_exitfuncs, _flush):  # type: ignore[attr-defined]
        try:
            step()
        except BaseException:
            with contextlib.suppress(Exception):  # standard error may be closed
                traceback.print_exc()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be None, broken or closed
            stream.flush()


def _report(error: BaseException) -> int:
    """Print what an interpreter prints about an exception that ends it; the exit code."""
    if not isinstance(error, SystemExit):
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(error.code, file=sys.stderr)
    return 1


def _forget_siblings() -> None:
    """Keep multiprocessing from ending the parent's processes, for example its Pool: it ends all that it knows."""
    children: set[object] = getattr(sys.modules.get("multiprocessing.process"), "_children", set())
    for child in list(children):
        if getattr(child, "_parent_pid", None) != os.getpid():
            children.discard(child)
