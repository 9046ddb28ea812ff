"""`gunicorn -k fastwsgi.contrib.gunicorn.Worker`: a real gunicorn, its signals, limits, hooks and logs."""

from __future__ import annotations

import os
import re
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fastwsgi import backend
from tests.helpers.deployments import wait_for_end
from tests.helpers.pki import Pki
from tests.helpers.processes import Process
from tests.helpers.serving import Client, request
from tests.helpers.traffic import Load

pytest.importorskip("gunicorn")

SITE = """
import os, sys, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError(path)
    if path in ("/held", "/stuck"):
        print("entered", flush=True)
        while path == "/stuck" or not os.path.exists("go"):
            time.sleep(0.01)
    if path == "/file":
        start_response("200 OK", [("Content-Length", str(os.path.getsize(__file__)))])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/errors":
        environ["wsgi.errors"].write("written to errors\\n")
    start_response("200 OK", [("X-Out", "out")])
    names = ("REMOTE_ADDR", "SCRIPT_NAME", "wsgi.url_scheme", "wsgi.multithread", "wsgi.multiprocess")
    return [repr([os.getpid(), path, *[environ[name] for name in names], os.environ.get("SHOP")]).encode()]
"""


class Gunicorn(Process):
    """The arbiter, and what it says of its workers."""

    address: Any = None

    def begin(self) -> Gunicorn:
        """Wait until it listens."""
        found = self.line(r"Listening at: \w+://([0-9.]+):([0-9]+)|Listening at: unix:([^,\s]+)")
        self.address = found[3] or (found[1], int(found[2]))
        return self

    def ask(self, target: str = "/", *fields: tuple[str, str]) -> list[Any]:
        """What the application has answered."""
        with Client(self.address) as client:
            answer = client.send(request(target=target, fields=fields)).answer()
        assert answer.status == 200
        return list(eval(answer.body))

    def held(self, target: str) -> Client:
        """A client whose request has entered the application."""
        client = Client(self.address).send(request(target=target))
        self.line("^entered")
        return client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts a gunicorn with these options, and a configuration file."""

    @contextmanager
    def starting(*options: str, conf: str = "", **variables: str) -> Iterator[Gunicorn]:
        (tmp_path / "shop.py").write_text(SITE)
        (tmp_path / "conf.py").write_text(conf)
        script = tmp_path / "gunicorn_command.py"  # with -m, its own folder would be in the way after SIGUSR2
        script.write_text("from gunicorn.app.wsgiapp import run; run()")
        given = ["-k", "fastwsgi.contrib.gunicorn.Worker", "-c", str(tmp_path / "conf.py"), "--chdir", str(tmp_path)]
        given += ["-b", "127.0.0.1:0"] if "-b" not in options else []
        given += ["--no-control-socket"] if "control_socket" in known() else []
        process = Gunicorn([str(script), *given, *options, "shop:app"], backend.NAME, **variables)
        try:
            yield process
        finally:
            if process.process.poll() is None:
                process.signal(signal.SIGQUIT)
            process.wait()

    return starting


def known() -> Any:
    from gunicorn.config import KNOWN_SETTINGS

    return {one.name for one in KNOWN_SETTINGS}


def test_nothing_is_lost_as_workers_come_and_go(start: Any) -> None:
    with start("-w", "2", "--threads", "4", "--graceful-timeout", "20") as server:
        server.begin()
        assert server.ask("/a")[1:] == ["/a", "127.0.0.1", "", "http", True, True, None]
        with Load(server.address, kept=3, new=2, pause=0.005) as load:
            for number, seen in ((signal.SIGHUP, 2), (signal.SIGTTIN, 1), (signal.SIGHUP, 3)):
                load.more()
                server.signal(number)
                for _ in range(seen):
                    server.line("Booting worker")
                load.more()
            server.signal(signal.SIGTTOU)
            server.line("Worker exiting")
            server.signal(signal.SIGUSR2)
            new = int(server.line(r"\[(\d+)\] \[INFO\] Listening at")[1])
            server.line("Booting worker"), server.line("Booting worker")
            load.more(100)
            server.signal(signal.SIGTERM)
            wait_for_end(server.pid)
            load.more(100)
        assert load.lost == []
        os.kill(new, signal.SIGTERM)
        wait_for_end(new)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_how_workers_end(start: Any, tmp_path: Path, threads: str) -> None:
    conf = """
import os, signal
def worker_int(worker): worker.log.info("hook: int")
def worker_abort(worker): worker.log.info("hook: abort")
def worker_exit(server, worker):
    os.kill(os.getpid(), signal.SIGTERM)  # which the arbiter repeats each second
    worker.log.info("hook: exit, served %d", worker.nr)
"""
    with start("--threads", threads, "--graceful-timeout", "1", "--timeout", "2", conf=conf) as server:
        server.begin()
        with server.held("/held") as client:  # waited for
            server.signal(signal.SIGHUP)
            server.line("Booting worker")
            (tmp_path / "go").touch()
            assert client.answer().whole
        server.line("hook: exit, served 1")
        with server.held("/stuck") as client:
            server.signal(signal.SIGHUP)
            server.line(r"is cut, as --graceful-timeout is over: GET /stuck|given up at the stop \(GET /stuck\)")
            server.line("hook: exit")
            client.rest()
        if threads == "1":  # the loop stands still, as that of a sync worker
            with server.held("/stuck") as client:
                server.line("WORKER TIMEOUT")
                server.line("hook: abort")
                server.line("hook: exit")
        worker = server.ask()[0]
        os.kill(worker, signal.SIGSTOP)
        server.line("WORKER TIMEOUT")
        server.line("was sent SIGKILL")
        assert server.ask()[0] != worker
        with server.held("/stuck") as client:
            server.signal(signal.SIGQUIT)
            server.line("hook: int")
            client.rest()
        assert server.wait() == 0


def test_max_requests_and_an_arbiter_that_is_killed(start: Any) -> None:
    with start("--max-requests", "3", "--threads", "2") as server:
        server.begin()
        with Load(server.address, kept=2, new=1, pause=0.002) as load:
            for _ in range(3):
                server.line("Autorestarting worker after current request")
        assert load.lost == []
    with start("--threads", "2") as server:
        worker = server.begin().ask()[0]
        server.process.kill()
        wait_for_end(worker)


def test_hooks_and_logs(start: Any, tmp_path: Path) -> None:
    conf = """
bind = ["127.0.0.1:0", "unix:shop.sock"]
accesslog = "access.log"
access_log_format = '%(h)s "%(r)s" %(s)s %(B)s %({x-in}i)s %({x-out}o)s'
errorlog = "error.log"
raw_env = ["SHOP=open", "SCRIPT_NAME=/shop"]
preload_app = True
secure_scheme_headers = {"X-SCHEME": "tls"}
def post_worker_init(worker):
    app = worker.wsgi
    worker.wsgi = lambda environ, start_response: app(environ, start_response)
def pre_request(worker, req):
    req.headers.append(("X-Added", "yes"))
    worker.log.info("hook: pre %s %s", req.method, req.path)
def post_request(worker, req, environ, resp):
    worker.log.info("hook: post %s %s %s", environ["HTTP_X_ADDED"], resp.status, worker.nr)
    raise KeyError
"""
    with start("-b", "127.0.0.1:0", "-b", "unix:shop.sock", conf=conf) as server:
        log = tmp_path / "error.log"
        found = server.found_in(log, r"Listening at: http://([0-9.]+):([0-9]+)[^,]*,unix:shop.sock")
        server.address = found[1], int(found[2])
        server.found_in(log, "without effect with this worker: secure_scheme_headers: the scheme comes from")
        said = server.ask("/shop/a", ("X-In", "in"), ("X-Forwarded-Proto", "https"))
        assert said[1:] == ["/a", "127.0.0.1", "/shop", "https", False, False, "open"]
        server.address = str(tmp_path / "shop.sock")
        assert server.ask("/shop/errors", ("X-Forwarded-Proto", "https"))[2:5] == ["", "/shop", "https"]
        with Client(server.address) as client:
            assert client.send(request(target="/shop/fail")).answer().status == 500
            assert client.send(request(target="/shop/file")).answer().body == SITE.encode()
        written = log.read_text()
        for line in (
            "hook: pre GET /shop/a", "hook: post yes 200 OK", "Exception in post_request hook",
            "written to errors", "the application failed \\(GET /shop/fail\\)", "ValueError: /fail",
        ):
            assert re.search(line, written), line
        lines = (tmp_path / "access.log").read_text().splitlines()
        assert re.fullmatch(r'127.0.0.1 "GET /shop/a HTTP/1.1" 200 \d+ in out', lines[0])
        assert lines[2:] == [' "GET /shop/fail HTTP/1.1" 500 0 - -', f' "GET /shop/file HTTP/1.1" 200 {len(SITE)} - -']
        (tmp_path / "access.log").rename(tmp_path / "old.log")
        server.signal(signal.SIGUSR1)
        server.found_in(log, "Handling signal: usr1")
        server.signal(signal.SIGHUP)  # behind which the worker has handled it
        server.found_in(log, "Worker exiting")
        server.ask("/shop/later")
        server.found_in(tmp_path / "access.log", "later")


def test_encryption_and_own_settings(start: Any, pki: Pki) -> None:
    certificate, key = pki.pair
    conf = """
def ssl_context(config, factory):
    context = factory()
    config.logger_class  # any setting
    return context
"""
    given = {"FASTWSGI_SERVER_HEADER": "shop", "FASTWSGI_TIMEOUT": "0.3"}
    with start("--certfile", certificate, "--keyfile", key, "--threads", "2", conf=conf, **given) as server:
        server.begin()
        context = ssl.create_default_context(cafile=pki.authority.certificate)

        def answer(target: str) -> Any:
            with Client(server.address) as client:
                client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
                return client.send(request(target=target)).answer()

        assert answer("/").get("Server") == "shop"
        assert answer("/stuck").status == 504
        server.line("Autorestarting worker: a request is past FASTWSGI_TIMEOUT")
        server.line("Booting worker")
        assert answer("/").status == 200


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--limit-request-line", "9"), ""),
        (("--keyfile", __file__), "keyfile is for TLS, and there is no certificate: give certfile"),
        (("--certfile", "shop.py"), "shop.py holds no certificate"),
        (("-e", "FASTWSGI_STATIC=/s=/absent"), "FASTWSGI_STATIC /s=/absent: /absent: No such file"),
        (("--threads", "2000"), "Error: threads 2000 must be a whole number from 1 to 1024"),
    ],
)
def test_settings_that_cannot_be_used(start: Any, options: tuple[str, ...], line: str) -> None:
    if not line:
        with start(*options) as server, Client(server.begin().address) as client:
            assert client.send(request(target="/long")).answer().status == 414
        return
    with start(*options) as server:
        server.line(line)
        assert server.wait() in (1, 3)


def edit(server: Process, path: Path, text: str) -> None:
    """Save *text* until that is seen: what is there at gunicorn's first look, a moment after the start, is no edit."""
    for _ in range(10):
        path.write_text(text)
        with suppress(AssertionError):
            server.line("Worker reloading: .*shop.py modified", patience=3.0)
            return
    raise AssertionError(server.seen)


def test_reload(start: Any, tmp_path: Path) -> None:
    with start("--reload", "--reload-engine", "poll") as server:
        worker = server.begin().ask()[0]
        edit(server, tmp_path / "shop.py", SITE.replace('"/fail"', '"/failing"'))
        wait_for_end(worker)
        assert server.ask("/fail")[1] == "/fail"


def test_a_full_worker_tells_of_gunicorns_setting(start: Any) -> None:
    with start("--worker-connections", "1", "--threads", "2") as server:
        with Client(server.begin().address), Client(server.address):
            server.line(r"1 connections are open \(worker_connections\)")
