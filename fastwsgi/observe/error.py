"""The error log: Python's `logging`, as the settings ask for it.

Entries go to the logger "fastwsgi.error", and what the application writes to wsgi.errors to its child
"fastwsgi.error.wsgi". By default both write to standard error. *error_logfile* names a file instead; *log_config* names
a configuration for logging itself, which may also give handlers to the logger "fastwsgi.access". A program that has set
up logging on its own keeps its configuration.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastwsgi.mistakes import WrongValue
from fastwsgi.observe.error_handlers import MESSAGES, ErrorFile, OwnHandler, StreamHandler
from fastwsgi.observe.files import handed
from fastwsgi.observe.loggers import own_logger
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

error_log = own_logger("fastwsgi.error")
wsgi_log = own_logger(MESSAGES)
access_log = own_logger("fastwsgi.access")
gunicorns_log = logging.getLogger("gunicorn.error")


def set_up_error_log(settings: Settings) -> None:
    """Set up logging as error_logfile, log_level and log_config say, from the beginning each time.

    Raises:
        Mistake: the configuration cannot be read, or the file cannot be opened.
    """
    _take_back_handlers()
    for handler in error_log.handlers[:]:
        if isinstance(handler, ErrorFile):
            error_log.removeHandler(handler)
            handler.end()
    error_log.setLevel(settings.log_level.upper())
    if settings.log_config:
        with _importing_from(["", *settings.pythonpath]):
            _configure(settings.log_config)
    if settings.error_logfile not in (None, "-"):
        _add(_open_error_file(settings.error_logfile))
    elif not error_log.hasHandlers():
        _add(_standard_handler())
    _lend_handlers()


def _lend_handlers() -> None:
    """Have gunicorn's logger, unless it is configured, write to our log: applications use it, or copy its handlers."""
    own: list[logging.Handler] = [one for one in error_log.handlers if isinstance(one, OwnHandler)]
    if own and not gunicorns_log.handlers and not gunicorns_log.level:
        gunicorns_log.handlers, gunicorns_log.propagate = own, False
        gunicorns_log.setLevel(error_log.level)


def _take_back_handlers() -> None:
    if any(isinstance(one, OwnHandler) for one in gunicorns_log.handlers):
        gunicorns_log.handlers, gunicorns_log.propagate = [], True
        gunicorns_log.setLevel(logging.NOTSET)


def _configure(config: str | dict[str, Any]) -> None:
    from fastwsgi.observe.log_config import set_up_logging, take_over

    set_up_logging(config)
    take_over("gunicorn.error", error_log)
    take_over("gunicorn.access", access_log)
    if access_log.level == logging.NOTSET:
        access_log.setLevel(logging.INFO)  # the root logger's default would hide every line


@contextlib.contextmanager
def _importing_from(directories: list[str]) -> Iterator[None]:
    """Find the project's own formatters and handlers, in a process that has not loaded the application."""
    sys.path[:0] = directories
    try:
        yield
    finally:
        for directory in directories:
            with contextlib.suppress(ValueError):  # it has been taken out meanwhile
                sys.path.remove(directory)


def _standard_handler() -> OwnHandler:
    """Writes to standard error, with a descriptor of its own, or to what a program has put in its place."""
    stream = sys.stderr
    try:
        if stream is not None:
            stream.fileno()
        return ErrorFile("-")
    except (AttributeError, OSError, ValueError):
        return StreamHandler(stream)


def _add(handler: OwnHandler) -> None:
    error_log.addHandler(handler)
    error_log.propagate = False


def _open_error_file(path: str) -> ErrorFile:
    try:
        return ErrorFile(path)
    except OSError as error:
        raise WrongValue("--error-logfile", f"{path}: {error.strerror}") from None


def shows_on_terminal() -> bool:
    """Whether the error log is on a terminal, where the user sees it."""
    return any(isinstance(one, ErrorFile) and one.is_standard and os.isatty(one.file.fd) for one in error_log.handlers)


def logs_elsewhere() -> bool:
    """Whether the error log goes to something else than standard error."""
    return any(not _is_standard(one) for one in _handlers_of(error_log))


def _is_standard(handler: logging.Handler) -> bool:
    if isinstance(handler, OwnHandler):
        return not isinstance(handler, ErrorFile) or handler.is_standard
    return isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.__stderr__)


def _handlers_of(log: logging.Logger) -> list[logging.Handler]:
    """The handlers that get the entries of *log*."""
    found: list[logging.Handler] = []
    logger: logging.Logger | None = log
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found


def messages_handlers() -> list[OwnHandler] | None:
    """The handlers for what is written to wsgi.errors, if all of them are ours, and take it as it is; else None."""
    found = _handlers_of(wsgi_log)
    own = [handler for handler in found if isinstance(handler, OwnHandler)]
    return own if own and len(own) == len(found) else None


def reopen_files() -> None:
    """Reopen, by their paths, the files to which handlers of any logger append. Raises OSError."""
    for handler in _handlers():
        if isinstance(handler, ErrorFile):
            handler.file.reopen()
        elif isinstance(handler, logging.FileHandler) and handler.mode == "a":
            handler.acquire()
            _reopen(handler)
            handler.release()


def _reopen(handler: logging.FileHandler) -> None:
    stream: Any = handler.stream  # None with delay=True, which the stubs do not show
    if handler.baseFilename not in handed:
        handler.stream = None  # logging opens the file with the next entry
        if stream is not None:
            stream.close()
    elif stream is not None:
        stream.flush()
        os.dup2(handed[handler.baseFilename], stream.fileno(), inheritable=False)


def appended_files() -> dict[str, int | None]:
    """The paths of the files to which handlers of any logger append, and the modes that new ones are to have."""
    found: dict[str, int | None] = {}
    for handler in _handlers():
        if isinstance(handler, ErrorFile) and handler.file.path != "-":
            found[handler.file.path] = stat.S_IMODE(os.fstat(handler.file.fd).st_mode)
        elif isinstance(handler, logging.FileHandler) and handler.mode == "a":
            found.setdefault(handler.baseFilename, None)
    return found


def _handlers() -> set[logging.Handler]:
    """The handlers of all loggers."""
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    return {handler for logger in known if isinstance(logger, logging.Logger) for handler in logger.handlers}
