"""Rotation of logs in a folder that is root's, for workers that are not."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.deployments import SITE, Deployment, deployed
from tests.helpers.processes import open_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose a user")
NOBODY = {"user": "65534", "group": "65534", "preload": True}  # only root can read the site
SOURCE = SITE + """
import logging
given = app
def app(environ, start_response):
    environ["wsgi.errors"].write("told\\n")
    environ["wsgi.errors"].flush()
    logging.getLogger("fastwsgi.error").error("told by the logger")
    return given(environ, start_response)
"""


def rotate(server: Deployment, number_to: int, *paths: Path) -> None:
    """Rename the logs, and wait until they are there again."""
    for path in paths:
        path.chmod(0o640)
        path.rename(f"{path}.1")
    os.kill(number_to, signal.SIGUSR1)
    for path in paths:
        while not path.exists():
            assert server.process.poll() is None


@pytest.mark.parametrize("told", ["supervisor", "worker"])
def test_workers_of_another_user_log_into_the_new_files(build: SimpleNamespace, tmp_path: Path, told: str) -> None:
    access, error = tmp_path / "access", tmp_path / "error"
    logs = {"access_logfile": str(access), "error_logfile": str(error)}
    with deployed(tmp_path, build.name, SOURCE, error, workers=1, **logs, **NOBODY) as server:
        (worker,) = server.workers(1)
        for _ in range(2):
            rotate(server, server.pid if told == "supervisor" else worker, access, error)
            while "told" not in error.read_text() or "GET / " not in access.read_text():  # which is reopened later
                server.ask()
        server.signal()
        assert server.wait() == 0
    assert "cannot reopen" not in error.read_text()
    assert [path.stat().st_mode & 0o777 for path in (access, error)] == [0o640] * 2
    assert access.stat().st_uid == 0


def test_so_do_handlers_of_a_log_configuration(tmp_path: Path) -> None:
    file = tmp_path / "configured"
    config = {
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(file)}},
        "loggers": {"fastwsgi.error": {"handlers": ["file"], "level": "INFO"}},
    }
    settings = {"log_config": config, "error_logfile": None, **NOBODY}
    with deployed(tmp_path, "py", SOURCE, file, workers=1, **settings) as server:
        server.ask()
        assert "told" in file.read_text()
        rotate(server, server.pid, file)
        while "told" not in file.read_text():
            server.ask()


def test_no_process_keeps_the_old_file_open(tmp_path: Path) -> None:
    access = tmp_path / "access"
    with deployed(tmp_path, "py", SITE, workers=1, access_logfile=str(access), **NOBODY) as server:
        (worker,) = server.workers(1)
        rotate(server, server.pid, access)
        while "GET" not in access.read_text():
            server.ask()
        for pid in (server.pid, worker):
            assert not [one for one in open_files(pid).values() if one.endswith("access.1")]
