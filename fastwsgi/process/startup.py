"""The start that a process that serves alone and a worker have in common."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi import temporary
from fastwsgi.gunicorn.green_threads import GreenThreadReport, refuse_green_threads
from fastwsgi.observe.logs import Logs, error_log, log_error
from fastwsgi.observe.request_id import RequestIds, with_request_ids
from fastwsgi.observe.standard_streams import occupy
from fastwsgi.originals import os
from fastwsgi.process.probes import probe_routes
from fastwsgi.server.loop import Loop
from fastwsgi.static.names import Immutable, read_mount

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.server.interfaces import Slot
    from fastwsgi.settings.settings import Settings
    from fastwsgi.static.handed import Sender
    from fastwsgi.static.site import Folder, StaticFiles
    from fastwsgi.status.scoreboard import Scoreboard


def make_loop(
    build: SimpleNamespace,
    app: WSGIApplication,
    settings: Settings,
    logs: Logs,
    board: Scoreboard | None = None,
    slot: Slot | None = None,
    report: Callable[[str, BaseException | None], None] = log_error,
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

    Raises:
        Mistake: the application runs in threads that are none.
    """
    refuse_green_threads()  # a hook may have done it
    occupy()
    numbered = with_request_ids(app, settings)
    loop = Loop(build, numbered, settings, report, logs.errors, logs.observer, slot)
    if isinstance(numbered, RequestIds):
        numbered.show = loop.rows.show_id
    probes = probe_routes(settings, board) if board is not None else {}
    files = static_files(build, settings, log_error)
    if probes or files is not None:
        loop.service.routes = build.routes.Routes(probes, files)
    if files is not None:
        loop.ticks.append(files.tick)
    if settings.x_sendfile:
        loop.service.sender = file_sender(build, settings)
    logs.attach(loop.service)
    loop.ticks += [occupy, logs.errors.tick, GreenThreadReport(report).tick]
    return loop


def static_files(
    build: SimpleNamespace, settings: Settings, log_error: Callable[[str, BaseException | None], None]
) -> StaticFiles | None:
    """The files that are routes, if *settings* ask for any."""
    if not settings.static:
        return None
    from fastwsgi.static.site import StaticFiles

    folders = folders_of(build, settings.static)
    immutable = Immutable(settings.static_immutable)
    return StaticFiles(folders, immutable, settings.static_max_age, settings.static_index, log_error)


def file_sender(build: SimpleNamespace, settings: Settings) -> Sender:
    """What sends the files that the application names."""
    from fastwsgi.static.handed import Sender

    return Sender(folders_of(build, settings.x_sendfile))


def folders_of(build: SimpleNamespace, mounts: list[str]) -> list[Folder]:
    """The folders of some *mounts*, each ROUTE=DIR."""
    from fastwsgi.static import beneath
    from fastwsgi.static.site import Folder

    opener = beneath.opener(build.openat2 and build.openat2.open_beneath)
    return [Folder(read_mount(text), opener) for text in mounts]


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
