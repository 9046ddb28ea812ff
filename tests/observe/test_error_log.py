"""The error log: where it goes, what a configuration of logging's own makes of it, and its files."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.mistakes import Mistake
from fastwsgi.observe.error import access_log, error_log, reopen_files, set_up_error_log
from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.observe.log_config import set_up_logging
from fastwsgi.observe.logs import Logs, log_error
from fastwsgi.settings.settings import Settings
from tests.helpers.processes import running
from tests.helpers.serving import GET, answering, serving

ENTRY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] ERROR (.*)")
LOGGERS = ("fastwsgi.error", "fastwsgi.error.wsgi", "fastwsgi.access", "gunicorn.error", "gunicorn.access", "")


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Loggers as a new process has them; and again as they were."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    for one in loggers:
        one.handlers[:], one.propagate = [], True
        one.setLevel(logging.NOTSET if one.name != "root" else logging.WARNING)
    for own in (error_log, access_log):
        own.shown_as = ""
    yield
    for one, handlers, level, propagate in before:
        for handler in {*one.handlers} - {*handlers}:
            handler.close()
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


def messages(path: Path) -> list[str]:
    found = [ENTRY.match(line) for line in path.read_text("utf-8").splitlines()]
    return [match[1] for match in found if match is not None]


# By the settings


def test_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    error_log.propagate = False  # pytest has handlers at the root
    set_up_error_log(Settings())
    set_up_error_log(Settings())
    log_error("wrong", None)
    error_log.debug("hidden")
    shown = capsys.readouterr().err
    assert ENTRY.fullmatch(shown.strip())
    assert shown.count("wrong") == 1


def test_a_program_that_set_up_logging_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    kept: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    set_up_error_log(Settings())
    log_error("wrong", None)
    assert kept == ["wrong"]
    assert capsys.readouterr().err == ""


def test_a_file_with_tracebacks_and_levels(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for level in ("error", "critical"):
        set_up_error_log(Settings(error_logfile=str(path), log_level=level))
        try:
            raise ValueError("why \u20ac \ud800")
        except ValueError as error:
            log_error("wrong", error)
        ErrorStream().write("printed\n")
    text = path.read_text("utf-8")
    assert messages(path) == ["wrong"]
    assert text.splitlines().count("printed") == 2
    assert "ValueError: why \u20ac \\ud800\n" in text
    assert len(error_log.handlers) == 1


def test_a_full_disk_costs_the_entry_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_error_log(Settings(error_logfile="/dev/full"))
    log_error("wrong", None)
    assert capsys.readouterr().err == ""


def test_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    set_up_error_log(Settings(error_logfile=str(path)))
    log_error("one", None)
    path.rename(tmp_path / "old")
    log_error("two", None)
    Logs(Settings(), backend.current()).reopen()
    log_error("three", None)
    assert messages(tmp_path / "old") == ["one", "two"]
    assert messages(path) == ["three"]


def test_several_processes_share_a_file(tmp_path: Path) -> None:
    """An entry is one write, whatever its length."""
    path = tmp_path / "log"
    set_up_error_log(Settings(error_logfile=str(path)))
    children = []
    for number in range(2):
        child = os.fork()
        if child == 0:
            try:
                for _ in range(50):
                    log_error(str(number) * 20000, None)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert sorted({message[0] + str(len(message)) for message in messages(path)}) == ["020000", "120000"]
    assert len(messages(path)) == 100


def test_a_file_that_cannot_be_opened_is_a_mistake(tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "log")
    with pytest.raises(Mistake, match=f"^--error-logfile {path}: No such file or directory$"):
        set_up_error_log(Settings(error_logfile=path))


# By a configuration


def dictionary(folder: Path, prefix: str = "fastwsgi") -> dict[str, Any]:
    def file(name: str) -> dict[str, Any]:
        return {"class": "logging.FileHandler", "filename": str(folder / name), "formatter": "plain"}

    return {
        "version": 1,
        "formatters": {"plain": {"format": "%(name)s: %(message)s"}},
        "handlers": {"errors": file("errors"), "accesses": file("accesses")},
        "loggers": {
            f"{prefix}.error": {"handlers": ["errors"], "level": "ERROR", "propagate": False},
            f"{prefix}.access": {"handlers": ["accesses"], "propagate": False},
        },
    }


def ini(folder: Path) -> str:
    return f"""
[loggers]
keys = root, errors, accesses
[handlers]
keys = errors, accesses
[formatters]
keys = plain
[logger_root]
handlers =
[logger_errors]
handlers = errors
qualname = fastwsgi.error
propagate = 0
[logger_accesses]
handlers = accesses
qualname = fastwsgi.access
propagate = 0
[handler_errors]
class = FileHandler
formatter = plain
args = ({str(folder / "errors")!r},)
[handler_accesses]
class = FileHandler
formatter = plain
args = ({str(folder / "accesses")!r},)
[formatter_plain]
format = %(name)s: %(message)s
"""


def toml(values: dict[str, Any], path: str = "") -> str:
    """*values* as TOML."""
    plain = [f"{key!r} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    tables = [toml(value, f"{path}{key!r}.") for key, value in values.items() if isinstance(value, dict)]
    return "\n".join([*([f"[{path[:-1]}]"] if path and plain else []), *plain, *tables])


def write_config(folder: Path, form: str) -> Any:
    path = folder / f"logging.{form}"
    if form == "dict":
        return dictionary(folder)
    if form == "json":
        path.write_text(json.dumps(dictionary(folder)))
    elif form == "toml":
        path.write_text(toml(dictionary(folder)))
    else:
        path.write_text(ini(folder))
    return str(path)


def with_config(config: Any, **more: Any) -> Any:
    return SimpleNamespace(**{**vars(Settings(**more)), "log_config": config})


@pytest.mark.parametrize("form", ["ini", "json", "toml", "dict"])
def test_both_logs_by_a_configuration(build: SimpleNamespace, tmp_path: Path, form: str) -> None:
    if form == "toml" and sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    settings = with_config(write_config(tmp_path, form), access_log_format="%(r)s %(s)s")
    set_up_error_log(settings)
    logs = Logs(settings, build)
    log_error("wrong", None)
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server:
        server.ask()
    logs.close()
    assert "fastwsgi.error: wrong" in (tmp_path / "errors").read_text().splitlines()
    assert (tmp_path / "accesses").read_text() == "fastwsgi.access: GET / HTTP/1.1 200\n"


@pytest.mark.parametrize("name", ["plain", "-"])
def test_an_access_logfile_beside_the_logger(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Both have the lines; but standard output, to which handlers mostly write, has none twice."""
    path = str(tmp_path / name) if name != "-" else name
    settings = with_config(dictionary(tmp_path), access_logfile=path)
    set_up_error_log(settings)
    logs = Logs(settings, backend.current())
    assert logs.access is not None
    logs.for_loop().access.request_refused(SimpleNamespace(host=""), SimpleNamespace(status=400, request=None, sent=0))
    logs.close()
    assert (tmp_path / "accesses").read_text().count("\n") == 1
    assert name == "-" or (tmp_path / "plain").read_text().count("\n") == 1
    assert capfd.readouterr().out == ""


def test_a_configuration_without_access_log_has_none(tmp_path: Path) -> None:
    config = dictionary(tmp_path)
    del config["loggers"]["fastwsgi.access"]
    set_up_error_log(with_config(config))
    assert Logs(with_config(config), backend.current()).access is None


def test_handlers_for_gunicorns_loggers_serve_ours(tmp_path: Path) -> None:
    set_up_error_log(with_config(dictionary(tmp_path, "gunicorn")))
    log_error("wrong", None)
    access_log.info("a line")
    set_up_error_log(with_config(dictionary(tmp_path, "gunicorn")))  # as after a reload
    log_error("again", None)
    assert (tmp_path / "errors").read_text() == "gunicorn.error: wrong\ngunicorn.error: again\n"
    assert (tmp_path / "accesses").read_text() == "gunicorn.access: a line\n"


def test_gunicorns_logger_writes_to_our_log(tmp_path: Path) -> None:
    """A recipe of Flask applications copies its handlers and its level."""
    copied = logging.Logger("shop")
    for _ in range(2):  # as after a reload
        set_up_error_log(Settings(error_logfile=str(tmp_path / "log")))
    theirs = logging.getLogger("gunicorn.error")
    copied.handlers, copied.level = theirs.handlers, theirs.level
    copied.info("sold")
    theirs.debug("hidden")
    theirs.warning("no stock")
    text = (tmp_path / "log").read_text()
    assert [line.split("] ")[1] for line in text.splitlines()] == ["INFO sold", "WARNING no stock"]
    set_up_error_log(with_config(dictionary(tmp_path, "gunicorn")))
    theirs.error("configured")
    assert (tmp_path / "errors").read_text() == "gunicorn.error: configured\n"


def test_loggers_of_others_go_on(tmp_path: Path) -> None:
    other = logging.getLogger("test_error_log.other")
    (tmp_path / "log.ini").write_text(ini(tmp_path))
    set_up_logging(str(tmp_path / "log.ini"))
    set_up_logging(dictionary(tmp_path))
    assert not other.disabled


def test_files_of_a_configuration_are_reopened(tmp_path: Path) -> None:
    set_up_error_log(with_config(dictionary(tmp_path)))
    log_error("one", None)
    (tmp_path / "errors").rename(tmp_path / "old")
    reopen_files()
    log_error("two", None)
    assert (tmp_path / "old").read_text() == "fastwsgi.error: one\n"
    assert (tmp_path / "errors").read_text() == "fastwsgi.error: two\n"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("missing.ini", None, "No such file or directory"),
        ("bad.ini", "nonsense", "File contains no section headers"),
        ("empty.ini", "", ""),
        ("bad.json", "{", "JSONDecodeError: Expecting property name"),
        ("list.json", "[]", "an object must be in it"),
        ("bad.toml", "=", "TOMLDecodeError"),
        ("class.json", '{"handlers": {"a": {"class": "no.Such"}}}', "ValueError: Unable to configure handler 'a': "),
        ("level.json", '{"root": {"level": "LOUD"}}', "ValueError: Unable to configure root logger: ValueError: "),
    ],
)
def test_a_wrong_configuration_is_a_mistake_of_one_line(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    if name.endswith(".toml") and sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(Mistake) as found:
        set_up_error_log(Settings(log_config=str(path)))
    assert re.fullmatch(rf"--log-config {path}: .*", str(found.value))
    assert complaint in str(found.value)


# A whole process


SERVER = """
import sys, fastwsgi
def app(environ, start_response):
    print("printed", file=environ["wsgi.errors"])
    raise ValueError("why")
fastwsgi.serve(app, bind="127.0.0.1:0", error_logfile=sys.argv[1])
"""


def test_failures_of_the_application_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with running(["-c", SERVER, str(path)], backend.NAME) as process:
        with process.connect(log=path) as client:
            assert client.send(GET).answer().status == 500
        process.signal()
        assert process.wait() == 0
        assert not any("why" in line for line in process.seen)
    assert "the application failed (GET /)" in messages(path)
    assert "\nprinted\n" in path.read_text()
    assert "ValueError: why" in path.read_text()
