"""gunicorn's logging configurations, on gunicorn and here: the application's lines and the access log are the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from fastwsgi import backend
from tests.helpers.processes import running
from tests.helpers.serving import request

SITE = """
import json, logging
log = logging.getLogger("shop")

class Json(logging.Formatter):
    def format(self, record):
        return json.dumps({"logger": record.name, "level": record.levelname, "message": record.getMessage()})

class Atoms(logging.Formatter):
    def format(self, record):
        atoms = record.args
        found = {name: atoms[name] for name in ("h", "m", "s", "B", "{x-none}i")}
        return json.dumps({"line": record.msg % atoms, "name": record.name, **found})

def app(environ, start_response):
    log.debug("hidden")
    log.info("sold %s", environ["PATH_INFO"])
    logging.getLogger("other").warning("little is left")
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""
ALWAYS = """
bind = "127.0.0.1:0"
access_log_format = "%(m)s %(U)s %(s)s"
"""
INI = """
[loggers]
keys = root, access, error
[handlers]
keys = console, file
[formatters]
keys = short
[logger_root]
level = INFO
handlers = console
[logger_access]
level = INFO
handlers = file
qualname = gunicorn.access
propagate = 0
[logger_error]
level = INFO
handlers = console
qualname = gunicorn.error
propagate = 0
[handler_console]
class = StreamHandler
formatter = short
args = (sys.stdout,)
[handler_file]
class = FileHandler
formatter = short
args = ("%(here)s/access.log",)
[formatter_short]
format = %(levelname)s %(name)s: %(message)s
"""
FILES = {
    "json at the root": """
accesslog = "-"
logconfig_dict = {
    "formatters": {"json": {"()": "shop.Json"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"},
    },
    "root": {"level": "INFO", "handlers": ["console"]},
}
""",
    "a file for accesses, and propagation": """
accesslog = "-"
logconfig_dict = {
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stdout"},
        "accesses": {"class": "logging.FileHandler", "filename": "access.log", "formatter": "generic"},
    },
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["console"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["accesses"], "propagate": True},
    },
}
""",
    "the atoms of a line": """
accesslog = "-"
logconfig_dict = {
    "formatters": {"atoms": {"()": "shop.Atoms"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
        "accesses": {"class": "logging.FileHandler", "filename": "access.log", "formatter": "atoms"},
    },
    "loggers": {"gunicorn.access": {"level": "INFO", "handlers": ["accesses"], "propagate": False}},
}
""",
    "an INI": 'logconfig = "log.ini"',
    "a JSON file": 'logconfig_json = "log.json"',
    "none": "",
}
JSON = '{"root": {"level": "WARNING", "handlers": ["console"]}}'
OF_INTEREST = re.compile("sold|is left|GET /shop")


def lines_of(server: str, folder: Path, conf: str) -> tuple[list[str], list[str]]:
    """The lines of interest that *server* prints, and those in access.log, with 0 for all numbers."""
    folder.mkdir()
    (folder / "shop.py").write_text(SITE)
    (folder / "log.ini").write_text(INI)
    (folder / "log.json").write_text(JSON)
    (folder / "g.py").write_text(ALWAYS + conf)
    file = folder / "access.log"
    start = f"import os, sys, runpy; os.chdir({str(folder)!r}); sys.path.remove('')"  # what the command is started with
    argv = "sys.argv = ['x', '-c', 'g.py', 'shop:app']"
    arguments = ["-c", f"{start}; {argv}; runpy.run_module({server!r}, {{}}, '__main__')"]
    with running(arguments, backend.NAME) as process:
        with process.connect() as client:
            assert client.send(request(target="/shop")).answer().body == b"hello"
        process.signal()
        process.wait()
    logged = file.read_text().splitlines() if file.exists() else []
    return in_order(process.seen), in_order(logged)


def in_order(lines: list[str]) -> list[str]:
    return sorted(re.sub(r"\d+", "0", line) for line in lines if OF_INTEREST.search(line))


@pytest.mark.skipif(importlib.util.find_spec("gunicorn") is None, reason="without gunicorn")
@pytest.mark.parametrize("name", FILES)
def test_the_lines_are_the_same(tmp_path: Path, name: str) -> None:
    theirs = lines_of("gunicorn", tmp_path / "gunicorn", FILES[name])
    ours = lines_of("fastwsgi", tmp_path / "fastwsgi", FILES[name])
    assert ours == theirs
    assert any("is left" in line for line in ours[0])
