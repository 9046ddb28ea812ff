"""A warning where application code would have root's rights, and who may connect to a unix socket by default."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.originals import os
from fastwsgi.process import privileges
from fastwsgi.settings.settings import Settings
from tests.helpers.deployments import starting
from tests.helpers.processes import Process

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root is warned")

# A supervisor that believes it is outside a container
UNCONTAINED = """
import sys
from fastwsgi.process import privileges
privileges.is_contained = lambda: False
from fastwsgi.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("uid", "settings", "worker", "said"),
    [
        (0, {}, None, "the application runs as root"),
        (0, {}, (0, 0), "the application runs as root"),
        (0, {}, (1000, 1000), ""),
        (0, {"preload": True}, (1000, 1000), "--preload loads the application as root"),
        (0, {"preload": True, "reload": True}, (1000, 1000), ""),
        (1000, {}, None, ""),
    ],
)
def test_the_warning(
    uid: int, settings: dict[str, Any], worker: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    line = privileges.warning(Settings(**settings), worker, contained=False)
    assert line.startswith(said)
    assert bool(line) == bool(said)
    assert "\n" not in line
    assert privileges.warning(Settings(**settings), worker, contained=True) == ""


WHOLE = "         0          0 4294967295\n"


@pytest.mark.parametrize(
    ("files", "variables", "contained"),
    [
        ({"proc/self/uid_map": WHOLE}, {}, False),
        ({"proc/self/uid_map": "         0       1000          1\n"}, {}, True),  # a user namespace
        ({}, {}, False),  # no /proc
        ({"proc/self/uid_map": WHOLE, ".dockerenv": ""}, {}, True),
        ({"proc/self/uid_map": WHOLE, "run/.containerenv": ""}, {}, True),
        ({"proc/self/uid_map": WHOLE, "run/systemd/container": "lxc"}, {}, True),
        ({"proc/self/uid_map": WHOLE}, {"container": "systemd-nspawn"}, True),
        ({"proc/self/uid_map": WHOLE}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
        ({"proc/self/uid_map": WHOLE}, {"container": ""}, False),
    ],
)
def test_containers(tmp_path: Path, files: dict[str, str], variables: dict[str, str], contained: bool) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert privileges.is_contained(tmp_path, variables) is contained


@ROOT_ONLY
def test_one_line_at_the_start() -> None:
    process = Process(["-c", UNCONTAINED, "fastwsgi.demo:app", "-b", "127.0.0.1:0"], "py")
    try:
        process.line("listening on")
        (warned,) = [line for line in process.seen if "root" in line]
        assert "WARNING" in warned
        assert "give --user" in warned
    finally:
        process.end()


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({}, 0o600),
        ({"socket_mode": "660"}, 0o660),
        ({"umask": "007"}, 0o770),
        ({"umask": "0", "socket_mode": "640"}, 0o640),
    ],
)
def test_the_mode_of_a_unix_socket_by_default(tmp_path: Path, settings: dict[str, str], mode: int) -> None:
    path = tmp_path / "sock"
    with starting(tmp_path, "py", bind=[f"unix:{path}"], **settings) as server:
        server.line("listening on")
        assert stat.S_IMODE(path.lstat().st_mode) == mode
