"""The limit to the end of a process in which an application ran, and what that end waits for.

Threads and executors of the application are waited for, then its exit functions run (end_process() in leaving.py). That
may take for ever, so a thread of the server's watches the time.
"""

from __future__ import annotations

from fastwsgi.daemon import Daemon
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, threading, time

MOST_NAMES = 10  # threads named in a line of the log


def limit(seconds: float, code: int) -> None:
    """Have a program that is about to end do so within *seconds*, with *code*."""

    def end() -> None:
        time.sleep(seconds)
        error_log.warning("the end does not wait for %s any longer", threads_left() or "exit functions")
        os._exit(code)

    Daemon(end, "fastwsgi-end").start()


def threads_left() -> str:
    """The threads for which end_process() waits: their number and names; "" if there are none."""
    names = [thread.name for thread in threading.enumerate() if _is_waited_for(thread)]
    if not names:
        return ""
    listed = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    return f"{len(names)} {'thread' if len(names) == 1 else 'threads'} of the application ({listed})"


def _is_waited_for(thread: threading.Thread) -> bool:
    return not (thread.daemon or isinstance(thread, Daemon) or thread is threading.main_thread())
