"""The loggers of the server: what silences all of them, and what names one."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

from tests.helpers.processes import printed_by

BEGIN = """
import logging, logging.config, sys
from fastwsgi.observe.logs import access_log, error_log, log_error, set_up_error_log
from fastwsgi.settings.settings import Settings

set_up_error_log(Settings(error_logfile={path!r}))
access_log.setLevel("INFO")
access_log.addHandler(logging.StreamHandler(open({path!r}, "a")))
{change}
error_log.info("begun")
try:
    1 / 0
except ZeroDivisionError as error:
    log_error("failed", error)
access_log.info("GET /")
print(repr("".join(open({path!r}).read())))
"""


def logged(path: Path, change: str) -> str:
    """What is in the log after entries of each kind, *change* having run before."""
    return str(printed_by(BEGIN.format(path=str(path), change=change)))


@pytest.mark.parametrize(
    "change",
    [
        "logging.config.dictConfig({'version': 1})",
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'CRITICAL', 'handlers': []}})",
        "logging.config.dictConfig({'version': 1, 'loggers': {'fastwsgi_shop': {'level': 'CRITICAL'}}})",
        "logging.basicConfig(force=True, level='CRITICAL')",
        "logging.disable()",
        "logging.shutdown()",
        "logging.getLogger('fastwsgi').setLevel('CRITICAL')",
        "logging.root.handlers.clear(); logging.root.disabled = True",
        "for one in logging.root.manager.loggerDict.values(): one.disabled = True",
        "logging.setLoggerClass(type('Mine', (logging.Logger,), {'isEnabledFor': lambda *given: False}))",
    ],
)
def test_what_names_no_logger_of_ours(change: str, tmp_path: Path) -> None:
    text = logged(tmp_path / "log", change)
    assert "INFO begun" in text
    assert "ZeroDivisionError" in text
    assert "GET /" in text


def test_a_configuration_that_names_them(tmp_path: Path) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    handler = {"class": "logging.FileHandler", "filename": str(other)}
    config = {
        "version": 1,
        "handlers": {"theirs": handler},
        "loggers": {
            "fastwsgi.error": {"handlers": ["theirs"], "level": "ERROR"},
            "fastwsgi.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
        },
    }
    assert logged(path, f"logging.config.dictConfig({config!r})") == ""
    text = other.read_text()
    assert "failed" in text
    assert "begun" not in text
    assert "GET /" not in text


@pytest.mark.parametrize(
    "change",
    [
        "error_log.handlers.clear(); error_log.addHandler(logging.NullHandler())",
        "error_log.setLevel(logging.CRITICAL + 1)",
        "error_log.addFilter(lambda record: False)",
    ],
)
def test_what_is_done_to_one_of_them(change: str, tmp_path: Path) -> None:
    text = logged(tmp_path / "log", change)
    assert "failed" not in text
    assert "GET /" in text


@pytest.mark.parametrize(
    "change",
    [
        "logging.setLogRecordFactory(None)",
        "error_log.addFilter(1)",
        "error_log.handlers[0].emit = None",
        "error_log.handlers[0].emit = lambda record: sys.exit(7)",
    ],
)
def test_what_fails_in_logging_is_no_failure_here(change: str, tmp_path: Path) -> None:
    code = "import os; os.dup2(os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)\n" + change
    path = tmp_path / "log"
    text = logged(path, code.format(path=str(path)))
    assert "failed" in text
    assert "ZeroDivisionError" in text


def test_a_logger_that_a_program_has_configured_before(tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = "import logging; logging.getLogger('fastwsgi.error').addHandler(logging.FileHandler({path!r}))"
    text = printed_by(code.format(path=str(path)) + BEGIN.format(path=str(path), change="logging.disable()"))
    assert text.count("ZeroDivisionError: ") == 2


def test_entries_have_the_time_that_it_is(tmp_path: Path) -> None:
    before = time.time()
    text = logged(tmp_path / "log", "import time; time.time = time.time_ns = lambda: 0")
    stamp = datetime.datetime.strptime(text[text.index("20") :][:19], "%Y-%m-%d %H:%M:%S")
    assert stamp.timestamp() >= int(before)
