"""The error log's lines about the life of the service: its start, its stop and its end, and the workers' beside them.

The words stand here, one function for each line; when it is time for them is decided elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastwsgi import gil
from fastwsgi.mistakes import Mistake, file_mistake
from fastwsgi.observe.error import logs_elsewhere, shows_on_terminal
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, signal
from fastwsgi.server.addresses import BindError
from fastwsgi.status.phrases import counted
from fastwsgi.version import VERSION

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

SHOWS_REQUESTS = ("access_logfile", "log_config", "trace")  # settings


def log_start(settings: Settings, urls: Sequence[str], build: SimpleNamespace, workers: int, loops: int) -> None:
    """The service can be used; on a terminal, also how to see what it does, and how to end it.

    Args:
        settings: the threads, and whether requests are shown.
        urls: where it listens.
        build: the modules that run, from fastwsgi.backend.
        workers: their number; 0 for a process that serves alone.
        loops: of each process.
    """
    without = "" if gil.is_on() else "without a GIL, "
    what = f"fastwsgi {VERSION} ({build.title} build, {without}pid {os.getpid()})"
    processes = counted(workers, "worker") if workers else "1 process"
    threads = counted(settings.threads, "thread")
    if loops > 1:
        threads += f" in {loops} loops"
    error_log.info("%s, %s x %s, listening on %s", what, processes, threads, ", ".join(urls))
    if shows_on_terminal():
        seen = any(getattr(settings, name) for name in SHOWS_REQUESTS)
        error_log.info("%sstop with Ctrl-C", "" if seen else "requests are shown with --access-logfile -; ")


def log_stop(requests: int, patience: float, number: int) -> None:
    """A graceful stop has begun, by the signal *number*, and waits at most *patience* seconds for *requests*."""
    limit = f", up to {patience:g} s" if requests else ""
    flight = f"{counted(requests, 'request')} in flight{limit}"
    error_log.info("stopping: %s; a second %s ends it at once", flight, _key(number))


def log_drain(delay: float, number: int) -> None:
    """A stop is wanted by the signal *number*, and begins after *delay* seconds."""
    error_log.info("not ready for more, and stopping in %g s; a second %s ends it at once", delay, _key(number))


def log_quit() -> None:
    """The service ends without waiting for requests."""
    error_log.info("stopping at once")


def log_end() -> None:
    """The service has ended, as it was told to."""
    error_log.info("stopped")


def log_worker_start(pid: int) -> None:
    """A worker serves."""
    error_log.info("worker %d started", pid)


def log_worker_end(pid: int, description: str) -> None:
    """A worker that was to end has done so."""
    error_log.info("worker %d %s", pid, description)


def log_worker_told(pid: int) -> None:
    """A worker got the SIGTERM that was sent to all processes of the service."""
    error_log.info("worker %d stops with the group", pid)


@contextlib.contextmanager
def failures_logged() -> Iterator[None]:
    """Around a start: what makes it fail is in the error log, too, if that is not where the user sees it anyway."""
    try:
        yield
    except Mistake as mistake:
        log_failure(mistake)
        raise
    except BindError as error:
        log_failure(Mistake(str(error)))
        raise
    except OSError as error:
        if error.filename is not None:
            log_failure(file_mistake(error))
        raise


def log_failure(mistake: Mistake) -> None:
    """The service cannot start; the user is told on standard error, and here."""
    if logs_elsewhere():
        error_log.error("%s", f"{mistake}\n{mistake.details}".rstrip("\n"))


def _key(number: int) -> str:
    """What sends the signal *number*."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
