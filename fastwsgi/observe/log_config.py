"""A configuration of `logging` itself: a dict for dictConfig, or a file of that kind, or an INI for fileConfig.

A configuration that is written for gunicorn names its loggers. Ours take them over: handlers, level, propagation, and
the name in the records.
"""

from __future__ import annotations

import configparser
import contextlib
import json
import logging
import logging.config
from importlib import import_module
from types import ModuleType
from typing import Any

from fastwsgi.mistakes import Mistake, WrongValue, summary
from fastwsgi.observe.interfaces import CALLED, EXTENDED_BY
from fastwsgi.observe.loggers import OwnLogger
from fastwsgi.originals import os


def set_up_logging(config: str | dict[str, Any]) -> None:
    """Configure logging from a dict for dictConfig, or from a file: .json and .toml hold such a dict, the rest are INI.

    Existing loggers stay enabled unless the configuration says otherwise.

    Raises:
        WrongValue: the file cannot be read, or logging refuses its contents.
    """
    flag, place = ("--log-config", config) if isinstance(config, str) else (config.get(CALLED, "--log-config"), "")
    try:
        if isinstance(config, str) and not config.endswith((".json", ".toml")):
            _read_ini(config)
        else:
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **_values(config)})
    except OSError as error:
        raise WrongValue(flag, f"{place}: {error.strerror or error}") from None
    except configparser.Error as error:
        raise WrongValue(flag, f"{place}: {' '.join(str(error).split())}") from None
    except Mistake:
        raise
    except Exception as error:
        cause = f": {summary(error.__cause__)}" if error.__cause__ is not None else ""
        raise WrongValue(flag, f"{place}: {summary(error)}{cause}") from None


def _read_ini(path: str) -> None:
    """Read an INI, in which %(here)s is its directory and %(__file__)s its path, as in gunicorn."""
    places = {"here": os.path.dirname(path), "__file__": path}
    with open(path, encoding="utf-8") as file:
        logging.config.fileConfig(file, places, disable_existing_loggers=False)


def _values(config: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(config, str):
        return _read_dict(config)
    path = config.get(EXTENDED_BY)
    return config if path is None else {**config, **_read_dict(path)}


def _read_dict(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        values = _toml().load(file) if path.endswith(".toml") else json.load(file)
    if not isinstance(values, dict):
        raise WrongValue("--log-config", f"{path}: an object must be in it, with the keys of logging's dictConfig")
    return values


def _toml() -> ModuleType:
    for name in ("tomllib", "tomli"):
        with contextlib.suppress(ImportError):
            return import_module(name)
    raise WrongValue("--log-config", ": TOML needs Python 3.11 or the package tomli; JSON and INI do not")


def take_over(theirs: str, ours: OwnLogger) -> None:
    """Have *ours* be gunicorn's logger, if a configuration has set that up, and not *ours*."""
    if ours.shown_as:  # as an earlier configuration had it
        ours.handlers, ours.filters, ours.propagate, ours.shown_as = [], [], True, ""
    known = logging.root.manager.loggerDict.get(theirs)
    if isinstance(known, logging.Logger) and (known.handlers or known.level) and not ours.handlers:
        ours.handlers, ours.filters = known.handlers[:], known.filters[:]
        ours.setLevel(known.level or ours.level)
        ours.propagate = known.propagate
        ours.shown_as = theirs
