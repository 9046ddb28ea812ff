#!/usr/bin/env python3
"""Run the test suites of packages that serve through wsgiref.simple_server, with fastwsgi in its place.

    python ci/drop_in.py [PACKAGE ...]      all of SUITES, each in both builds

The source distributions come from PyPI into a temporary directory, the packages and what their tests need into a
virtual environment there. A sitecustomize.py puts our names into wsgiref.simple_server before anything else
is imported, in the processes that a suite starts too, and notes each server made: a suite that made none, or that
failed, makes the exit code 1. The packages run from the environment, only their tests from the source.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300  # seconds for one suite

SITECUSTOMIZE = """
import os
import wsgiref.simple_server

from fastwsgi import simple


class CountedServer(simple.WSGIServer):
    def server_activate(self):
        super().server_activate()
        with open(os.environ["DROP_IN_RECORD"], "a") as record:
            record.write("a server\\n")


simple.WSGIServer = CountedServer
simple.make_server.__defaults__ = (None, None, CountedServer, simple.WSGIRequestHandler)
wsgiref.simple_server.WSGIServer = CountedServer
wsgiref.simple_server.WSGIRequestHandler = simple.WSGIRequestHandler
wsgiref.simple_server.make_server = simple.make_server
"""


@dataclass
class Suite:
    """The tests of a package that serve: its version on PyPI, what they need besides, and pytest's arguments."""

    version: str
    needs: tuple[str, ...]
    arguments: tuple[str, ...]


SUITES = {
    "falcon": Suite("4.4.0", ("requests",), ("tests/test_wsgi.py",)),
    "google-auth-oauthlib": Suite("1.5.0", ("click", "mock"), ("tests/unit/test_flow.py",)),
    # test_interrupted_request wants the application to be called with half a body: we never do that
    "webob": Suite("1.8.11", (), ("tests/test_in_wsgiref.py", "-k", "not interrupted_request")),
}


def main(names: list[str]) -> int:
    """Run the suites *names*, all if there are none; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = make_environment(work, names or list(SUITES))
        results = [run(work, python, name, build) for name in names or SUITES for build in ("c", "py")]
    return 0 if all(results) else 1


def make_environment(work: Path, names: list[str]) -> Path:
    """A virtual environment with the packages *names*, and their tests unpacked; its interpreter."""
    venv.create(work / "env", with_pip=True)
    python = work / "env/bin/python"
    pinned = [f"{name}=={SUITES[name].version}" for name in names]
    needs = [need for name in names for need in SUITES[name].needs]
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "httptools", "pytest", *pinned, *needs], check=True)
    for name, pin in zip(names, pinned):
        download = [*pip, "download", "-q", "--no-deps", "--no-binary", name, "-d", str(work / "sdists"), pin]
        subprocess.run(download, check=True)
    for archive in (work / "sdists").iterdir():
        with tarfile.open(archive) as opened:
            opened.extractall(work / "sources", filter="data")
    (work / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return python


def run(work: Path, python: Path, name: str, build: str) -> bool:
    """Run one suite in one build; whether it passed, and served."""
    suite = SUITES[name]
    source = next((work / "sources").glob(f"{name.replace('-', '?')}-{suite.version}"))
    record = work / f"{name}-{build}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(work), str(ROOT))),
        "FASTWSGI_BACKEND": build,
        "DROP_IN_RECORD": str(record),
    }
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *suite.arguments]
    code = subprocess.run(command, cwd=source, env=environment, timeout=PATIENCE, check=False).returncode
    servers = len(record.read_text().splitlines()) if record.exists() else 0
    passed = code == 0 and servers > 0
    print(f"{name} {suite.version}, build {build}: {'passed' if passed else 'FAILED'}, {servers} servers", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
