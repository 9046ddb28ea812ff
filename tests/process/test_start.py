"""What stands in the way of a start is told in one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fastwsgi.process import startup
from tests.helpers.processes import ROOT, python_path, running
from tests.helpers.serving import GET, PATIENCE

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
SHOP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"{}"]
"""


def complaint(directory: Path, shell: str, code: int = 1, **variables: str) -> str:
    """What the command prints that *shell* runs as "$@" in a directory, where it cannot start, with the exit code."""
    command = [sys.executable, "-m", "fastwsgi", "shop:app", "--bind", "127.0.0.1:0"]
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": python_path(ROOT), "FASTWSGI_BACKEND": "py", **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("fastwsgi: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    assert "the current directory has been removed" in complaint(tmp_path / "gone", 'rmdir ../gone; exec "$@"')


def test_a_directory_that_goes_later(tmp_path: Path) -> None:
    """One line for each reload; if it is made anew, as a deployment does, its new contents are served."""
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP.format("one"))
    command = ["-m", "fastwsgi", "shop:app", "--bind", "127.0.0.1:0"]
    there = f"import os, sys; os.chdir({str(folder)!r}); os.execv(sys.executable, [sys.executable, *{command}])"
    with running(["-c", there], "py") as server:
        server.connect().socket.close()
        shutil.rmtree(folder)
        server.signal(signal.SIGHUP)
        server.line("the current directory has been removed")
        server.line("the reload is given up")
        folder.mkdir()
        (folder / "shop.py").write_text(SHOP.format("two"))
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        with server.connect() as client:
            assert client.send(GET).answer().body == b"two"
        assert not any("Traceback" in line for line in server.seen)
        server.signal()
        assert server.wait() == 0


@AS_ROOT
def test_a_user_that_may_not_read_the_directory(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("app = print")
    tmp_path.chmod(0o700)
    assert "(user 65534 cannot read the directory " in complaint(tmp_path, '"$@" --user 65534')


@AS_ROOT
def test_root_without_capabilities(tmp_path: Path) -> None:
    drop = "import ctypes, os, sys; [ctypes.CDLL(None).prctl(24, one) for one in (6, 7)]; "  # PR_CAPBSET_DROP
    drop += "os.execv(sys.argv[1], sys.argv[1:])"
    said = complaint(tmp_path, f'"{sys.executable}" -c "{drop}" "$@" --user nobody', code=2)
    assert "--user nobody: this root lacks the capability CAP_SETUID" in said


@pytest.fixture(name="warnings")
def _warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(startup.error_log, "warning", lambda text, *values: said.append(text % values))
    return said


def test_no_temporary_files(warnings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    startup.warn_of_temporary_files()
    assert warnings == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    startup.warn_of_temporary_files()
    assert warnings == [
        "there can be no temporary files (No such file or directory): what needs one gets a 503; set TMPDIR"
    ]


def test_another_directory_for_temporary_files(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    startup.warn_of_temporary_files()
    assert warnings == [f"TMPDIR {tmp_path}/none cannot be written to: temporary files are in {tmp_path}"]
