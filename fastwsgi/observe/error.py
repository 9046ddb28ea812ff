"""The error log: Python's `logging`, as the settings ask for it.

Entries go to the logger "fastwsgi.error". By default it writes to standard error. *error_logfile* names a file instead;
*log_config* names a configuration for logging itself, which may also give handlers to the logger "fastwsgi.access". A
program that has set up logging on its own keeps its configuration.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import json
import logging
import logging.config
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

from fastwsgi.mistakes import Mistake, WrongValue, summary
from fastwsgi.observe.files import LogFile, standard_error
from fastwsgi.observe.loggers import own_logger
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

ENTRY = "%(asctime)s [%(process)d] %(levelname)s %(message)s"

error_log = own_logger("fastwsgi.error")
access_log = own_logger("fastwsgi.access")


class ErrorFile(logging.Handler):
    """Appends entries to a file that can be reopened, each with one write, so that processes may share it.

    close(), which configurations of logging call for all handlers, leaves the file open.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = LogFile(path, standard_error())
        self.setFormatter(logging.Formatter(ENTRY))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one entry; on a full disk the entry is lost, without an error."""
        try:
            self._write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass
        except Exception:
            self.handleError(record)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self.file.fd, data)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.write(2, data)  # the application has closed all descriptors but the standard ones

    def end(self) -> None:
        """Take it from the logger, and close the file."""
        error_log.removeHandler(self)
        self.file.close()
        self.close()


class StreamHandler(logging.StreamHandler[TextIO]):
    """Writes to the stream that a program has put in the place of sys.stderr."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Lose the entry: the program has closed the stream."""


def set_up_error_log(settings: Settings) -> None:
    """Set up logging as error_logfile, log_level and log_config say, from the beginning each time.

    Raises:
        Mistake: the configuration cannot be read, or the file cannot be opened.
    """
    for handler in error_log.handlers[:]:
        if isinstance(handler, ErrorFile):
            handler.end()
    error_log.setLevel(settings.log_level.upper())
    if settings.log_config:
        set_up_logging(settings.log_config)
    if settings.error_logfile not in (None, "-"):
        _add(_open_error_file(settings.error_logfile))
    elif not error_log.hasHandlers():
        _add(_standard_handler())


def _standard_handler() -> logging.Handler:
    """Writes to standard error, with a descriptor of its own, or to what a program has put in its place."""
    stream = sys.stderr
    try:
        if stream is not None:
            stream.fileno()
        return ErrorFile("-")
    except (AttributeError, OSError, ValueError):
        handler = StreamHandler(stream)
        handler.setFormatter(logging.Formatter(ENTRY))
        return handler


def _add(handler: logging.Handler) -> None:
    error_log.addHandler(handler)
    error_log.propagate = False


def _open_error_file(path: str) -> ErrorFile:
    try:
        return ErrorFile(path)
    except OSError as error:
        raise WrongValue("--error-logfile", f"{path}: {error.strerror}") from None


def set_up_logging(config: str | dict[str, Any]) -> None:
    """Configure logging from a dict for dictConfig, or from a file: .json and .toml hold such a dict, the rest are INI.

    Existing loggers stay enabled unless the configuration says otherwise. Our loggers use the handlers of gunicorn's if
    they have none.

    Raises:
        Mistake: the file cannot be read, or logging refuses its contents.
    """
    name = "" if isinstance(config, dict) else config
    try:
        if isinstance(config, str) and not config.endswith((".json", ".toml")):
            with open(config, encoding="utf-8") as file:
                logging.config.fileConfig(file, disable_existing_loggers=False)
        else:
            values = config if isinstance(config, dict) else _read_dict(config)
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **values})
    except OSError as error:
        raise WrongValue("--log-config", f"{name}: {error.strerror or error}") from None
    except configparser.Error as error:
        raise WrongValue("--log-config", f"{name}: {' '.join(str(error).split())}") from None
    except Mistake:
        raise
    except Exception as error:
        cause = f": {summary(error.__cause__)}" if error.__cause__ is not None else ""
        raise WrongValue("--log-config", f"{name}: {summary(error)}{cause}") from None
    _take_over("gunicorn.error", error_log)
    _take_over("gunicorn.access", access_log)
    if access_log.level == logging.NOTSET:
        access_log.setLevel(logging.INFO)  # the root logger's default would hide every line


def _read_dict(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        values = json.load(file) if path.endswith(".json") else _toml().load(file)
    if not isinstance(values, dict):
        raise WrongValue("--log-config", f"{path}: an object must be in it, with the keys of logging's dictConfig")
    return values


def _toml() -> ModuleType:
    for name in ("tomllib", "tomli"):
        with contextlib.suppress(ImportError):
            return import_module(name)
    raise WrongValue("--log-config", ": TOML needs Python 3.11 or the package tomli; JSON and INI do not")


def _take_over(theirs: str, ours: logging.Logger) -> None:
    """Give *ours* the handlers of gunicorn's logger, so that a configuration written for gunicorn works here."""
    known = logging.root.manager.loggerDict.get(theirs)
    if isinstance(known, logging.Logger) and known.handlers and not ours.handlers:
        for handler in known.handlers:
            ours.addHandler(handler)
        ours.setLevel(known.level or ours.level)
        ours.propagate = known.propagate


def reopen_files() -> None:
    """Reopen, by their paths, the files to which handlers of any logger append. Raises OSError."""
    for handler in _handlers():
        if isinstance(handler, ErrorFile):
            handler.file.reopen()
        elif isinstance(handler, logging.FileHandler) and handler.mode == "a":
            handler.acquire()
            stream: Any = handler.stream  # None with delay=True, which the stubs do not show
            handler.stream = None  # logging opens the file with the next entry
            handler.release()
            if stream is not None:
                stream.close()


def _handlers() -> set[logging.Handler]:
    """The handlers of all loggers."""
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    return {handler for logger in known if isinstance(logger, logging.Logger) for handler in logger.handlers}
