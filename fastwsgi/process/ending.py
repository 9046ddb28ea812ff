"""The end of a process in which an application ran: what it left behind has its chance, as at an interpreter's end.

Its threads and executors are waited for, then its exit functions run, then the standard streams are flushed. That may
take for ever, so whoever begins it has a thread of the server's watch the time.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import NoReturn

from fastwsgi.daemon import Daemon
from fastwsgi.observe.logs import error_log, log_error

MOST_NAMES = 10  # threads named in a line of the log


def leave(code: int) -> NoReturn:
    """Exit with *code*, after all that an interpreter does for an application at its end. Called in any thread."""
    try:
        for step in (threading._shutdown, atexit._run_exitfuncs, _flush):  # type: ignore[attr-defined]
            try:
                step()
            except BaseException as error:
                log_error("an exit function has failed", error)
    finally:
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def limit(seconds: float, code: int) -> None:
    """Have a program that is about to end do so within *seconds*, with *code*."""

    def end() -> None:
        time.sleep(seconds)
        error_log.warning("the end does not wait for %s any longer", threads_left() or "exit functions")
        os._exit(code)

    Daemon(end, "fastwsgi-end").start()


def threads_left() -> str:
    """The threads for which leave() waits: their number and names; "" if there are none."""
    names = [thread.name for thread in threading.enumerate() if _is_waited_for(thread)]
    if not names:
        return ""
    listed = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    return f"{len(names)} {'thread' if len(names) == 1 else 'threads'} of the application ({listed})"


def _is_waited_for(thread: threading.Thread) -> bool:
    return not (thread.daemon or isinstance(thread, Daemon) or thread is threading.main_thread())
