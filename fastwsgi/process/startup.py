"""The start that a process that serves alone and a worker have in common."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi import gil, temporary
from fastwsgi.figures import SIZE, private_memory
from fastwsgi.gil import HAS_GIL
from fastwsgi.gunicorn.green_threads import GreenThreadReport, refuse_green_threads
from fastwsgi.observe.logs import Logs, error_log, log_error
from fastwsgi.observe.request_id import RequestIds, with_request_ids
from fastwsgi.observe.standard_streams import occupy
from fastwsgi.originals import os
from fastwsgi.process.deferral import defer_counts
from fastwsgi.process.folders import file_sender, static_files, warn_of_folders
from fastwsgi.process.late_gil import LateGil
from fastwsgi.process.probes import probe_routes
from fastwsgi.process.thread_room import make_room
from fastwsgi.server.commons import Commons
from fastwsgi.server.loop import Loop
from fastwsgi.server.loops import Loops
from fastwsgi.server.portion import Portion
from fastwsgi.settings import cpus

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.settings.settings import Settings
    from fastwsgi.status.scoreboard import Scoreboard, Slot


def loop_count(settings: Settings) -> int:
    """The loops of each process: with a GIL one, else as many as its threads can keep busy at once."""
    if settings.loops or gil.is_on():  # also for a module that was imported before the fork
        return max(1, settings.loops)
    return max(1, min(settings.threads, cpus.available() // settings.workers))


def make_loops(
    build: SimpleNamespace,
    app: WSGIApplication,
    settings: Settings,
    logs: Logs,
    board: Scoreboard | None = None,
    slot: Slot | None = None,
    base: str = "",
) -> Loops:
    """The loops that serve *app* in this process; the arguments are those of make_loop().

    Raises:
        Mistake: the application runs in threads that are none.
    """
    count = loop_count(settings) if slot is None else 1 + len(slot.followers)  # a hook may have changed the CPUs
    if not HAS_GIL and settings.threads > 1:  # else there is room for all
        make_room(settings, count)
    if count == 1:
        return Loops([partial(make_loop, build, app, settings, logs, board, slot, base=base)])
    defer_counts(build)
    commons = Commons(settings, log_error, slot)
    memory = None if slot is not None else private_memory(count)
    slots: list[Slot | None] = [None] * count if slot is None else [slot, *slot.followers]
    makers = []
    for number, one in enumerate(slots):
        portion: Any = Portion(settings, number, count)
        words = None if memory is None else memory[number * SIZE : (number + 1) * SIZE]
        own: dict[str, Any] = {"base": base, "commons": commons, "memory": words}
        makers.append(partial(make_loop, build, app, portion, logs, board, one, **own))
    loops = Loops(makers, memory)
    late_gil = LateGil(count, error_log.warning)
    late_gil.tick()  # the application is loaded
    loops.ticks.append(late_gil.tick)
    return loops


def make_loop(
    build: SimpleNamespace,
    app: WSGIApplication,
    settings: Settings,
    logs: Logs,
    board: Scoreboard | None = None,
    slot: Slot | None = None,
    report: Callable[[str, BaseException | None], None] = log_error,
    base: str = "",
    commons: Commons | None = None,
    memory: memoryview | None = None,
) -> Loop:
    """A loop that serves *app*, with request IDs and probes if *settings* ask for them.

    Args:
        build: the modules to run, from fastwsgi.backend.
        app: a WSGI application.
        settings: all are read.
        logs: this process's.
        board: what probes are answered from; None in a process that serves alone, which has none.
        slot: this process's part of it.
        report: called with a message and an exception or None, of what the error log is to have.
        base: the directory that folders of files are named from; "" is the current one.
        commons, memory: see Loop.

    Raises:
        Mistake: the application runs in threads that are none.
    """
    refuse_green_threads()  # a hook may have done it
    occupy()
    numbered = with_request_ids(app, settings)
    own = logs.for_loop()
    loop = Loop(build, numbered, settings, report, own.errors, own.observer, slot, commons, memory)
    if isinstance(numbered, RequestIds):
        numbered.show = loop.rows.show_id
    probes = probe_routes(settings, board) if board is not None else {}
    files = static_files(build, settings, report, base, settings.loops if commons is not None else 1)
    if probes or files is not None:
        loop.service.routes = build.routes.Routes(probes, files)
    if files is not None:
        loop.ticks.append(files.tick)
        loop.closers.append(files.forget)
    loop.service.sender = file_sender(build, settings, base)
    own.attach(loop.service)
    loop.ticks.append(own.errors.tick)
    if own.is_first:
        warn_of_folders(settings, base)
        loop.ticks += [occupy, GreenThreadReport(report).tick]
    return loop


def warn_of_temporary_files() -> None:
    """Log one line if this process can make no temporary files, as on a read-only file system."""
    try:
        temporary.open_file().close()
    except OSError as error:
        error_log.warning("there can be no temporary files (%s): what needs one gets a 503; set TMPDIR", error.strerror)
        return
    wanted, found = os.environ.get("TMPDIR"), temporary.directory()
    if wanted and os.path.abspath(wanted) != found:
        error_log.warning("TMPDIR %s cannot be written to: temporary files are in %s", wanted, found)
