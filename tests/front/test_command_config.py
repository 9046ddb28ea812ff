"""The command with its configuration: told, checked, and served, as a user of gunicorn's would."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest

from fastwsgi import cli
from fastwsgi.server import bind
from tests.helpers.processes import ROOT, python_path, running

TIMEOUT = 30.0
APP = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("SHOP", "HTTP_X_QUEUE", "wsgi.url_scheme")
    return [" ".join([os.environ.get("SHOP", "-"), *(str(environ.get(name)) for name in names[1:])]).encode()]
"""
GUNICORNS = """
workers = 1
wsgi_app = "shop:app"
bind = "127.0.0.1:0"
raw_env = ["SHOP=open"]
accesslog = None
worker_tmp_dir = "/dev/shm"

def on_starting(server):
    server.log.info("hook on_starting %s", server.cfg.proc_name)

def when_ready(server):
    server.log.info("hook when_ready %s", server.pid)

def post_fork(server, worker):
    worker.log.info("hook post_fork %s", worker.age)

def pre_request(worker, req):
    req.headers.append(("X-Queue", req.path))

def post_request(worker, req, environ, resp):
    worker.log.info("hook post_request %s %s %s", req.uri, resp.status_code, worker.cfg.workers)

def worker_exit(server, worker):
    worker.log.info("hook worker_exit %s", worker.age)

def on_exit(server):
    server.log.info("hook on_exit")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the project's directory, and without what a test run may have in its environment."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the loader changes it
    for name in [*os.environ]:
        if name in ("PORT", "WEB_CONCURRENCY") or name.startswith("FASTWSGI_"):
            monkeypatch.delenv(name)
    return project


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fastwsgi", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": python_path(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


# Telling


def test_print_config_needs_no_application(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inside / "g.py").write_text("keepalive = 5\n")
    assert cli.main(["--print-config", "-c", "g.py", "-w", "3"]) == 0
    told = capsys.readouterr()
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert {"app none default", "workers 3 --workers", "keep_alive 5 g.py: keepalive"} <= set(lines)
    assert told.err == ""


def test_the_manual(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--manual"]) == 0
    assert capsys.readouterr().out.startswith('.TH FASTWSGI 1 ""')


def test_what_gunicorn_does_not_need_here_is_told(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--print-config", "--worker-tmp-dir", "/dev/shm", "--max-requests-jitter", "3"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "fastwsgi: --worker-tmp-dir: not needed: the heartbeat is in shared memory, not in a file",
        "fastwsgi: --max-requests-jitter has no effect without --max-requests",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--print-config --threads 0", "--threads '0' must be a whole number from 1 to 1024"),
        ("--check-config", "say what to serve: MODULE:ATTR, such as shop.wsgi:application (see fastwsgi --help)"),
        ("-c g.py shop", "g.py failed: NameError: name 'nonsense' is not defined"),
    ],
)
def test_mistakes(inside: Path, capsys: pytest.CaptureFixture[str], arguments: str, line: str) -> None:
    (inside / "g.py").write_text("workers = nonsense\n")
    assert cli.main(arguments.split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"fastwsgi: {line}"


# Checking


def test_check_config_loads_the_application_and_does_not_call_it(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.fastwsgi]\napp = "shop"\n')
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    done = run(project, "--check-config", "-b", "127.0.0.1:0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("shop (function) can be loaded\nwould be served on 127.0.0.1:0\n")


def test_check_config_says_what_is_wrong(project: Path) -> None:
    (project / "shop.py").write_text("raise OSError('no disk')\n")
    done = run(project, "--check-config", "shop", "-b", "127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "fastwsgi: shop cannot be imported: OSError: no disk"


def test_check_config_tells_all_that_is_wrong(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        (inside / "g.py").write_text(
            "errorlog = 'none/e'\ncertfile = 'c.pem'\naccess_log_format = '%(x)s'\nuser = 'no-such'\n"
        )
        flags = ["-w", "x", "-b", taken, "--pid", "none/p", "--access-logfile", str(inside), "-b", "unix:g.py"]
        assert cli.main(["-c", "g.py", "nowhere:app", "--check-config", *flags]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert [line[len("fastwsgi: ") :] for line in told.err.splitlines()] == [
        ANY,
        "--workers 'x' must be auto or a whole number from 1 to 2147483647",
        "g.py: user no-such: there is no such user; give the name of an account, or a number",
        f"--access-logfile {inside}: Is a directory",
        "g.py: errorlog none/e: No such file or directory",
        "--pid none/p: No such file or directory",
        "g.py: certfile c.pem: No such file or directory",
        f"{taken} is taken by this very process (pid {os.getpid()}): give each address once, "
        "or choose another port with --bind",
        "g.py exists and is no socket: choose another path",
        f"there is no module 'nowhere' in {inside}; is that the project's directory? (--chdir names it)",
    ]
    assert "g.py: access_log_format '%(x)s': no atom %(x)s" in told.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("flag", ["--access-logfile", "--error-logfile", "--pid"])
def test_check_config_follows_no_link_that_the_server_would_not(
    inside: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    (inside / "shared").mkdir()
    (inside / "shared").chmod(0o1777)
    (inside / "shared/file").symlink_to(inside / "target")
    os.chown(inside / "shared/file", pwd.getpwnam("nobody").pw_uid, -1, follow_symlinks=False)
    assert cli.main(["fastwsgi.demo", "--check-config", "-b", "127.0.0.1:0", flag, "shared/file"]) == 2
    assert "'file' in it is a symbolic link that another user could have made" in capsys.readouterr().err


def test_check_config_takes_no_link_for_a_socket(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inside / "link").symlink_to("nowhere")
    assert cli.main(["fastwsgi.demo", "--check-config", "-b", "unix:link"]) == 1
    assert "link exists and is no socket" in capsys.readouterr().err


def test_what_is_checked_is_left_as_it_was(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = ["--pid", "p", "--access-logfile", "a", "--error-logfile", "e", "-b", "unix:s", "-b", "127.0.0.1:0"]
    assert cli.main(["fastwsgi.demo", "--check-config", *paths]) == 0, capsys.readouterr().err
    assert sorted(os.listdir(inside)) == ["shop.py"]


def test_an_address_of_a_service_that_runs_is_no_mistake(
    inside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--check-config` before a reload must not fail for it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(bind, "_holder", lambda port: ("fastwsgi", 1))
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert cli.main(["fastwsgi.demo", "--check-config", "-b", taken]) == 0
        assert f"{taken} is in use by a running fastwsgi" in capsys.readouterr().out


def test_the_status_has_an_address_of_its_own(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = "127.0.0.1:8000"
    assert cli.main(["fastwsgi.demo", "--check-config", "-b", one, "--status-bind", one]) == 2
    assert "--bind and --status-bind are both 127.0.0.1:8000; the status needs an address" in capsys.readouterr().err
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert cli.main(["fastwsgi.demo", "--check-config", "-b", "127.0.0.1:0", "--status-bind", taken]) != 0
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"fastwsgi: {taken} is taken")
        assert line.endswith("or choose another port with --status-bind")


def test_help_and_mistakes_do_without_the_supervisor(project: Path) -> None:
    code = (
        "import sys; from fastwsgi import cli; cli.main(['--print-config']); cli.main(['--wrokers'])\n"
        "served = ('fastwsgi.process', 'fastwsgi.server.b', 'fastwsgi.server.l')\n"
        "assert not [name for name in sys.modules if name.startswith(served)]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert done.stderr.startswith("fastwsgi: unknown option --wrokers")


# Serving


def test_serves_by_gunicorns_file_and_calls_its_hooks(project: Path) -> None:
    (project / "g.py").write_text(GUNICORNS)
    command = ["-m", "fastwsgi", "-c", str(project / "g.py"), "--chdir", str(project), "-n", "shop"]
    with running(command, "py") as server:
        server.line(r"without effect here: worker_tmp_dir \(")
        server.line("hook on_starting shop")
        server.line("hook post_fork 1")
        with server.connect() as client:
            client.send(b"GET /a%20b?c HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.answer().body == b"open /a%20b http"
        server.line(r"hook post_request /a%20b\?c 200 1")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    hooks = [line.partition("hook ")[2] for line in server.seen if "hook " in line]
    assert hooks[-2:] == ["worker_exit 1", "on_exit"]


def test_an_upgrade_gives_the_command_again_where_it_was_given(project: Path) -> None:
    """The directory is relative to that of the tests."""
    (project / "g.py").write_text(GUNICORNS)
    there = os.path.relpath(project)
    command = ["-W", "error", "-m", "fastwsgi", "-c", f"{there}/g.py", "--chdir", there, "--pid", "shop.pid"]
    with running(command, "py") as server:
        server.line("listening on")
        server.signal(signal.SIGUSR2)
        server.line("upgrade: process")
        server.line("listening on")
        successor = int((project / "shop.pid").read_text())
        assert successor != server.pid
        os.kill(successor, signal.SIGTERM)
        server.line("upgrade is given up")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert not [line for line in server.seen if "no such setting" in line]


def test_a_reload_tells_what_is_wrong_by_its_key(project: Path) -> None:
    (project / "g.py").write_text(GUNICORNS)
    with running(["-m", "fastwsgi", "-c", str(project / "g.py"), "--chdir", str(project)], "py") as server:
        server.line("listening on")
        for value, told in (("'none/log'", "none/log: No such file"), ("7", "7 must be a path")):
            (project / "g.py").write_text(GUNICORNS.replace("accesslog = None", f"accesslog = {value}"))
            server.signal(signal.SIGHUP)
            server.line(f"the reload is given up: .*g.py: accesslog {told}")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_a_reload_reads_the_file_anew(project: Path) -> None:
    (project / "g.py").write_text(GUNICORNS)
    with running(["-m", "fastwsgi", "-c", str(project / "g.py"), "--chdir", str(project)], "py") as server:
        with server.connect():
            pass  # it serves
        changed = GUNICORNS.replace("SHOP=open", "SHOP=closed").replace("workers = 1", "workers = 2")
        (project / "g.py").write_text(changed)
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        with server.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.answer().body == b"closed / http"
        server.line("hook post_request / 200 2")
        (project / "g.py").write_text("workers = nonsense\n")
        server.signal(signal.SIGHUP)
        server.line(r"reload is given up: .*NameError: name 'nonsense'")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
