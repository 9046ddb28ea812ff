"""The command as a user runs it: a process, its exit code, and what it prints.

Every mistake ends in one line on standard error, after at most the traceback of the user's own code.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from fastwsgi import gil
from fastwsgi.settings.settings import SETTINGS

ROOT = str(Path(__file__).parents[2])
COMMAND = (sys.executable, "-W", "error", "-m", "fastwsgi")
TIMEOUT = 30.0

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""

BROKEN = {
    "needs.py": "import flsk\n",
    "fails.py": "def read():\n    return {}['SECRET']\nread()\n",
    "syntax.py": "def app(:\n",
    "raises.py": "def app(environ, start_response):\n    raise ValueError('no database')\n",
    "wrong.py": "def app(environ, start_response):\n    start_response(200, [])\n    return [b'']\n",
    "shapes.py": "from fastwsgi.demo import app\n"
    "config = {}\n"
    "def create_app(name='shop'): return app\n"
    "def broken_factory(): raise OSError('no disk')\n"
    "async def asgi(scope, receive, send): pass\n"
    "class Site:\n    def __call__(self, environ, start_response): return app(environ, start_response)\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a directory with applications, good and broken, the working one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), ROOT))))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("FASTWSGI_BIND", "127.0.0.1:0")  # the default port may be taken
    (tmp_path / "hello.py").write_text(HELLO)
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL
    )


def complaint(*arguments: str, code: int = 1) -> str:
    """Run the command, which must fail with one line and nothing else, and return the line."""
    done = run(*arguments)
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines), done.stdout) == (code, 1, ""), done.stderr
    assert lines[0].startswith("fastwsgi: ")
    return lines[0][len("fastwsgi: ") :]


def complaint_after_traceback(*arguments: str) -> tuple[str, str]:
    """Run the command, which must fail with the user's traceback and one line; return line and traceback."""
    done = run(*arguments)
    *traceback, line = done.stderr.splitlines(keepends=True)
    assert done.returncode == 1
    assert [text for text in traceback if text.startswith("fastwsgi:")] == []
    assert line.startswith("fastwsgi: ")
    return line[len("fastwsgi: ") :].rstrip("\n"), "".join(traceback)


def files_of(traceback: str) -> set[str]:
    """Return the names of the files whose frames a traceback shows."""
    return {os.path.basename(path) for path in re.findall(r'File "([^"]+)"', traceback)}


class Server:
    """A running command, its standard error read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(line.rstrip("\n"))

    def line(self) -> str:
        """Return the next line, once it is there."""
        return self.lines.get(timeout=TIMEOUT)

    def end(self) -> None:
        """Kill it, and wait until its workers, which have its standard error, are gone, too."""
        self.process.kill()
        self.reader.join(TIMEOUT)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, list[str]]:
        """Send a signal, wait for the end, and return the exit code and the lines not read yet."""
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        return code, list(self.lines.queue)


Start = Callable[..., Server]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Give a function that starts the command; what still runs at the end is killed."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> Server:
            process = stack.enter_context(
                subprocess.Popen(
                    [*COMMAND, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
                )
            )
            server = Server(process)
            stack.callback(server.end)
            return server

        yield start


def port_in(line: str) -> int:
    match = re.search(r":(\d+)\b", line.split("//")[-1])
    assert match is not None, line
    return int(match[1])


def get(port: int, path: str = "/", method: str = "GET", body: Any = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()


# Serving


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_says_where_and_stops(start: Start, number: int) -> None:
    server = start("--bind", "127.0.0.1:0", "hello")
    where = server.line()
    assert re.search(r" INFO fastwsgi .* \((compiled|pure Python) build, .* listening on http://127\.0\.0\.1:", where)
    assert get(port_in(where)) == (200, b"hello")
    code, lines = server.stop(number)
    assert code == 0
    assert lines[-1].endswith(" INFO stopped")


def test_serves_the_demo(start: Start) -> None:
    server = start("-b", "127.0.0.1:0", "fastwsgi.demo:app")
    port = port_in(server.line())
    assert b"It works." in get(port)[1]
    assert get(port, "/echo", "POST", b"again")[1] == b"again"
    assert get(port, "/echo", "POST", iter([b"in ", b"chunks"]))[1] == b"in chunks"
    assert get(port, "/stream")[1].count(b"\n") == 20
    assert len(get(port, "/big")[1]) == 100_000_000
    assert get(port, "/file")[1].startswith(b'"""A small WSGI application')
    assert get(port, "/error")[0] == 500
    assert get(port, "/nothing")[0] == 404


def test_serves_on_two_addresses(start: Start, project: Path) -> None:
    path = project / "s.sock"
    server = start("-b", "127.0.0.1:0", "-b", f"unix:{path}", "hello")
    where = server.line()
    assert str(path) in where
    assert get(port_in(where))[0] == 200
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"hello")


@pytest.mark.parametrize(
    "arguments",
    ["--factory shapes:create_app", "shapes:create_app('x')", "--factory shapes", "shapes:Site()"],
)
def test_serves_what_a_factory_makes(start: Start, arguments: str) -> None:
    server = start("-b", "127.0.0.1:0", *arguments.split())
    assert b"It works." in get(port_in(server.line()))[1]


def test_chdir_and_pythonpath(start: Start, project: Path) -> None:
    (project / "sub" / "lib").mkdir(parents=True)
    (project / "sub" / "lib" / "site_x.py").write_text("from site_y import app\n")
    (project / "sub" / "site_y.py").write_text(HELLO)
    server = start("-b", "127.0.0.1:0", "--chdir", "sub", "--pythonpath", "lib", "site_x")
    assert get(port_in(server.line())) == (200, b"hello")


def test_root_path(start: Start) -> None:
    server = start("-b", "127.0.0.1:0", "--root-path", "/shop", "fastwsgi.demo")
    assert b'href="/shop/stream"' in get(port_in(server.line()), "/shop/")[1]


# Telling


def test_help_shows_every_setting(project: Path) -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for setting in SETTINGS.values():
        assert setting.flag in done.stdout


def test_version(project: Path) -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    build = r"fastwsgi \S+ \((compiled|pure Python)\)"
    python = r"Python \d+\.\d+\.\S+" + ("" if gil.is_on() else " without a GIL")
    assert re.fullmatch(rf"{build}, {python}" + r", httptools \d+\.\d+\S*\n", done.stdout)


def test_check(project: Path) -> None:
    done = run("--check", "-b", ":0", "-b", "unix:s.sock", "hello:app")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first == "hello:app (function) answers GET / with 200 OK"
    assert second == "would be served on :0, unix:s.sock"
    assert re.fullmatch(r"by fastwsgi .*", third)


# Mistakes of the command line


USAGE = {
    "": "say what to serve: MODULE:ATTR, such as shop.wsgi:application (see fastwsgi --help)",
    "hello more": "one application only: hello, and not more (see fastwsgi --help)",
    "--wrokers 2 hello": "unknown option --wrokers; did you mean --workers?",
    "--access-logfil=- hello": "unknown option --access-logfil; did you mean --access-logfile?",
    "-Z hello": "unknown option -Z; see fastwsgi --help",
    "hello --bind": "--bind needs a value (see fastwsgi --help)",
    "-w many hello": "--workers 'many' must be auto or a whole number from 1 to 2147483647",
    "--threads 1025 hello": "--threads '1025' must be a whole number from 1 to 1024",
    "-D hello": "-D: it stays in the foreground; let systemd or a container run it, or nohup fastwsgi ... &",
    "-c nowhere.toml hello": "nowhere.toml: there is no such configuration file",
    "--header-timeout soon hello": "--header-timeout 'soon' must be a number of seconds, above 0",
    "--root-path x hello": "--root-path 'x' must be a path that starts with \"/\" and does not end with it",
    "--chdir nowhere hello": "--chdir nowhere: No such file or directory",
    "--pythonpath nowhere hello": "--pythonpath nowhere: there is no such directory",
    "hello:app[0]": "cannot read 'app[0]' after 'hello:'; it may be a name, such as app or shop.app, "
    "or a call with literal arguments, such as create_app('test')",
}


@pytest.mark.parametrize("arguments", USAGE)
def test_usage(project: Path, arguments: str) -> None:
    assert complaint(*arguments.split(), code=2) == USAGE[arguments]


# Mistakes about the application


APPLICATION = {
    "helo": "there is no module 'helo'; did you mean hello?",
    "hello.py:app": "'hello.py' is the name of a file; name the module: hello:app",
    "hello.app": "there is no module 'hello.app'; did you mean hello:app?",
    "shapes:config": "shapes:config is a dict, not a WSGI application: it cannot be called",
    "shapes:create_app": "shapes:create_app looks like a factory; use --factory",
    "shapes:asgi": "shapes:asgi is an ASGI application; serve it with an ASGI server, "
    "or wrap it (a2wsgi.ASGIMiddleware)",
    "shapes:Site": "shapes:Site is a class, not an application; name an instance of it, "
    "or have one made: 'shapes:Site()'",
    "--factory shapes:app": "shapes:app is an application, not a factory; leave out --factory",
}


@pytest.mark.parametrize("arguments", APPLICATION)
def test_application(project: Path, arguments: str) -> None:
    assert complaint(*arguments.split()) == APPLICATION[arguments]


def test_attribute_missing(project: Path) -> None:
    place = project / "hello.py"
    assert complaint("hello:ap") == f"module hello ({place}) has no attribute 'ap'; did you mean 'app'?"


def test_django_project(project: Path) -> None:
    (project / "manage.py").touch()
    (project / "mysite").mkdir()
    (project / "mysite" / "wsgi.py").touch()
    assert complaint("manage_my_site") == "there is no module 'manage_my_site'; did you mean mysite.wsgi?"


RAISED = {
    "needs": "needs cannot be imported: ModuleNotFoundError: No module named 'flsk'; is it installed for ",
    "fails": "fails cannot be imported: KeyError: 'SECRET'",
    "syntax": "syntax cannot be imported: SyntaxError: ",
    "--factory shapes:broken_factory": "the factory shapes:broken_factory failed: OSError: no disk",
    "--check raises": "raises raised on GET /: ValueError: no database",
    "--check wrong": "wrong breaks PEP 3333: AssertionError: ",
}


@pytest.mark.parametrize("arguments", RAISED)
def test_what_the_users_code_raises(project: Path, arguments: str) -> None:
    line, traceback = complaint_after_traceback(*arguments.split())
    assert line.startswith(RAISED[arguments])
    module = arguments.split()[-1].partition(":")[0]
    assert files_of(traceback) == {f"{module}.py"}


# Mistakes about addresses


def test_port_taken(project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert address in complaint("-b", address, "hello")


def test_unwritable_socket(project: Path) -> None:
    assert "/nowhere/s.sock" in complaint("-b", "unix:/nowhere/s.sock", "hello")


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_bad_address(project: Path, check: tuple[str, ...]) -> None:
    line = complaint(*check, "-b", "127.0.0.1:eighty", "hello", code=2)
    assert line.startswith("--bind '127.0.0.1:eighty' has no port from 0 to 65535: ")


def test_unwritable_access_log(project: Path) -> None:
    line = complaint("-b", "127.0.0.1:0", "--access-logfile", "nowhere/access.log", "hello", code=2)
    assert line == "--access-logfile nowhere/access.log: No such file or directory"


# Mistakes about the build


@pytest.mark.parametrize("arguments", ["hello", "--check hello", "--version"])
def test_build_that_does_not_exist(project: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.setenv("FASTWSGI_BACKEND", "rust")
    line = complaint(*arguments.split(), code=2)
    assert line == "FASTWSGI_BACKEND 'rust' must be c, compiled, or py, pure Python"
