"""gevent and eventlet: what they may replace in a served process, and the one line where it is too much."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.processes import Process, running
from tests.helpers.serving import GET

# Not importorskip(): eventlet warns at each later fork of the process that has imported it
pytestmark = pytest.mark.skipif(not all(map(find_spec, ("gevent", "eventlet"))), reason="gevent or eventlet is missing")

PATCHES = {
    "gevent": "from gevent import monkey, spawn\nmonkey.patch_all({})\n",
    "eventlet": "import warnings\nwarnings.simplefilter('ignore')\n"
    "from eventlet import monkey_patch, spawn\nmonkey_patch({})\n",
}
ADVICE = {
    "gevent": "gevent.monkey.patch_all(thread=False, select=False), or serve with gunicorn -k gevent",
    "eventlet": "eventlet.monkey_patch(thread=False, select=False), or serve with gunicorn -k eventlet",
}
APP = """
import socket, time

def app(environ, start_response):
    done = []
    spawn(lambda: done.append(time.sleep(0.001)))
    one, other = socket.socketpair()
    spawn(lambda: (time.sleep(0.002), other.send(b"x")))
    one.recv(1)  # the others run meanwhile
    start_response("200 OK", [])
    return [b"%d" % len(done)]
"""
PLAIN_APP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"
COMMAND = "-m fastwsgi site_app:app --bind 127.0.0.1:0 --chdir"

packages = pytest.mark.parametrize("package", ["gevent", "eventlet"])


def is_refused(process: Process, package: str) -> bool:
    """Whether the process ends with the line and the exit code of a mistake."""
    code = process.wait()
    lines = [line for line in process.seen if line]
    expected = f"fastwsgi: {package} has replaced Python's threads, in which applications run here: call "
    assert lines == [expected + ADVICE[package]], process.seen
    return code == 1


@packages
@pytest.mark.parametrize("options", ["--workers 2 --threads 4", "--preload", "--check"])
def test_threads_replaced_by_the_application(package: str, options: str, tmp_path: Path) -> None:
    (tmp_path / "site_app.py").write_text(PATCHES[package].format("") + PLAIN_APP)
    with running([*COMMAND.split(), str(tmp_path), *options.split()], "py") as process:
        assert is_refused(process, package)


def test_threads_replaced_by_the_factory(tmp_path: Path) -> None:
    patch = PATCHES["gevent"].format("").replace("\n", "\n    ")
    (tmp_path / "site_app.py").write_text(f"{PLAIN_APP}def make():\n    {patch}return app\n")
    command = COMMAND.replace(":app", ":make()")
    with running([*command.split(), str(tmp_path)], "py") as process:
        assert is_refused(process, "gevent")


@packages
@pytest.mark.parametrize("hook", ["", "def on_starting(server):\n", "def post_fork(server, worker):\n"])
def test_threads_replaced_by_gunicorn_conf(package: str, hook: str, tmp_path: Path) -> None:
    patch = PATCHES[package].format("")
    (tmp_path / "site_app.py").write_text(PLAIN_APP)
    (tmp_path / "gunicorn.conf.py").write_text(hook + re.sub("^(?=.)", "    " if hook else "", patch, flags=re.M))
    command = [*COMMAND.split(), str(tmp_path), "--config", str(tmp_path / "gunicorn.conf.py")]
    with running(command, "py") as process:
        assert is_refused(process, package)


@packages
@pytest.mark.parametrize("order", ["patched first", "imported first"])
def test_threads_replaced_by_a_program(package: str, order: str) -> None:
    steps = [PATCHES[package].format(""), "import fastwsgi\n"]
    program = "".join(steps if order == "patched first" else reversed(steps)) + PLAIN_APP
    program += "try:\n    fastwsgi.make_server('127.0.0.1', 0, app)\nexcept fastwsgi.Mistake:\n    pass\n"
    program += "try:\n    fastwsgi.serve(app, '127.0.0.1:0')\nexcept fastwsgi.Mistake as mistake:\n"
    program += "    raise SystemExit(f'fastwsgi: {mistake}')\n"
    with running(["-c", program], "py") as process:
        assert is_refused(process, package)


@packages
@pytest.mark.parametrize(
    ("given", "options"),
    [("thread=False, select=False", "--preload"), ("thread=False", "--threads 4 --timeout 30 --workers 2")],
)
def test_the_rest_may_be_replaced(
    build: SimpleNamespace, package: str, given: str, options: str, tmp_path: Path
) -> None:
    (tmp_path / "site_app.py").write_text(PATCHES[package].format(given) + APP)
    with running([*COMMAND.split(), str(tmp_path), *options.split()], build.name) as process:
        serves_and_stops(process)


@packages
@pytest.mark.parametrize("order", ["patched first", "imported first"])
def test_a_program_may_replace_the_rest(build: SimpleNamespace, package: str, order: str) -> None:
    steps = [PATCHES[package].format("thread=False"), "import fastwsgi\n"]
    program = "".join(steps if order == "patched first" else reversed(steps)) + APP
    with running(["-c", program + "fastwsgi.serve(app, '127.0.0.1:0')"], build.name) as process:
        serves_and_stops(process)


@packages
def test_threads_replaced_in_a_request(package: str, tmp_path: Path) -> None:
    patch = PATCHES[package].format("").replace("\n", "\n    ")
    (tmp_path / "site_app.py").write_text(PLAIN_APP.replace("    start_response", f"    {patch}start_response", 1))
    with running([*COMMAND.split(), str(tmp_path), "--threads", "1"], "c") as process:
        with process.connect() as client:
            assert client.send(GET).answer().status == 200
        process.line(rf"a request went wrong: {package} has replaced Python's threads, .*thread=False, select=False")
        process.signal()
        assert process.wait() == 0, process.seen


def serves_and_stops(process: Process) -> None:
    """It answers with what green threads have done, and ends."""
    for _ in range(2):
        with process.connect() as client:
            answer = client.send(GET).answer()
            assert (answer.status, answer.body) == (200, b"1"), process.seen
    process.signal()
    assert process.wait() == 0, process.seen
