"""What a process need not have, it has not imported: each of these modules costs memory in each process, and time.

A module that only some processes need is imported in the function that needs it. The lists are of modules that a plain
process could do without; an application that imports one itself has it, of course.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import without_compiled
from tests.helpers.processes import ROOT

NEEDLESS = {
    *{"argparse", "ast", "asyncio", "base64", "concurrent.futures", "configparser", "dataclasses", "difflib", "dis"},
    *{"email", "encodings.idna", "gettext", "locale", "stringprep", "unicodedata"},
    *{"hashlib", "html", "http.client", "http.server", "inspect", "logging.config", "logging.handlers"},
    *{"multiprocessing", "pkgutil", "platform", "random", "shutil", "socketserver", "ssl", "subprocess", "tempfile"},
    *{"tomllib", "urllib.request", "wsgiref.validate", "zipfile"},
    *{"fastwsgi.demo", "fastwsgi.metrics", "fastwsgi.simple", "fastwsgi.testing", "fastwsgi.watching"},
    *{"fastwsgi.application.check", "fastwsgi.observe.log_config", "fastwsgi.process.failure_page"},
    *{"fastwsgi.process.source_watcher", "fastwsgi.process.status_child", "fastwsgi.settings.completion"},
    *{"fastwsgi.settings.manual", "fastwsgi.status.page", "fastwsgi.status.top", "fastwsgi.tls.contexts"},
}
PURE_TEXT = {"fastwsgi.http.connection", "fastwsgi.http.exchange", "fastwsgi.http._outbox_py"}  # of compiled modules
IN_A_FRONT_DOOR = {*NEEDLESS, "fastwsgi.cli", "fastwsgi.process.worker", "fastwsgi.process.supervisor"}
NEEDED_BY_WSGIREF = {
    *{"fastwsgi.simple", "base64", "email", "hashlib", "html", "http.client", "http.server", "locale", "platform"},
    *{"random", "shutil", "socketserver", "ssl"},
}  # what make_server() returns is as wsgiref's
TELL = "os.write(1, '\\n'.join([*sys.modules, '=\\n']).encode())"
PROGRAM = f"""
import os, sys
import fastwsgi.cli
from fastwsgi.process.children import Children
from fastwsgi.process.worker import Worker

def told(called, then):
    def call(self, *arguments):
        result = called(self, *arguments)
        {TELL}
        then(self)
        return result
    return call

Worker._boot = told(Worker._boot, lambda worker: None)
Children._handle_ready = told(Children._handle_ready, lambda children: children._supervisor.stop.request())
sys.exit(fastwsgi.cli.main(["shop:app", "--bind", "127.0.0.1:0"]))
"""
SHOP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"
SHOW = "; import sys; print(*sys.modules, sep='\\n')"


def printed(program: str, build: str, directory: Path) -> str:
    """What *program* prints in a Python without site, which may import what it likes."""
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=directory,
        env={"PYTHONPATH": os.pathsep.join(paths), "FASTWSGI_BACKEND": build, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def with_logging(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What `import logging` brings along, and so nobody can do without: inspect in Python 3.14, for example."""
    return set(printed(f"import logging{SHOW}", "py", tmp_path_factory.mktemp("empty")).split())


@pytest.mark.parametrize("build", ["py", pytest.param("c", marks=pytest.mark.skipif(without_compiled(), reason="py"))])
def test_a_plain_worker_and_its_supervisor(build: str, with_logging: set[str], tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    worker, supervisor, _ = printed(PROGRAM, build, tmp_path).split("=\n")
    needless = (NEEDLESS | (PURE_TEXT if build == "c" else set())) - with_logging
    assert needless & set(worker.split()) == set()
    assert needless & set(supervisor.split()) == set()


def test_make_server(with_logging: set[str], tmp_path: Path) -> None:
    names = set(printed(f"from fastwsgi import make_server{SHOW}", "py", tmp_path).split())
    names -= set(printed(f"import wsgiref.simple_server{SHOW}", "py", tmp_path).split())  # subprocess before 3.10
    assert (IN_A_FRONT_DOOR - NEEDED_BY_WSGIREF - with_logging) & names == set()


def test_the_package_alone(tmp_path: Path) -> None:
    """What every program imports that imports anything of it."""
    names = set(printed(f"import fastwsgi{SHOW}", "py", tmp_path).split())
    assert {name for name in names if name.startswith("fastwsgi")} == {
        "fastwsgi",
        "fastwsgi.originals",
        "fastwsgi.version",
    }
