"""fastwsgi.testing.serve(): a server for the tests of others, from its entry to what is left of it."""

from __future__ import annotations

import http.client
import logging
import os
import pickle
import re
import signal
import ssl
import sys
import threading
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest

from fastwsgi import Mistake, SettingError, backend
from fastwsgi.gil import HAS_GIL
from fastwsgi.server.addresses import BindError
from fastwsgi.testing import Server, serve
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, PATIENCE, Client, Ended, answering, request

HELLO = answering(b"hello")
TOGETHER: Any = ExceptionGroup if sys.version_info >= (3, 11) else ValueError  # noqa: F821


@pytest.fixture(autouse=True)
def _in_build(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the servers of each test run in the build of the parameter."""
    monkeypatch.setattr(backend, "NAME", build.name)


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError(environ["PATH_INFO"])


def raising(*paths: str, own: type[Exception] | None = None) -> None:
    """A block that is to raise what an application has raised, and ends with an exception of its *own*."""
    with serve(failing, raise_errors=True) as server:
        for path in paths:
            ask(server, path)
        if own is not None:
            raise own


def ask(server: Server, path: str = "/") -> tuple[int, bytes]:
    """The status and body of an answer, on a connection of its own."""
    try:
        with urllib.request.urlopen(server.url + path, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def held() -> tuple[set[str], set[threading.Thread], list[Any]]:
    """What this process has open, its threads, and its handlers of signals."""
    fds = {fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
    return fds, set(threading.enumerate()), [signal.getsignal(number) for number in range(1, signal.NSIG)]


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_left(threads: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serve(HELLO):  # what a process opens once
        pass
    before = held()
    log = tmp_path / "access.log"
    (tmp_path / "large").write_bytes(bytes(100000))
    with serve(HELLO, threads=threads, access_logfile=str(log), static=f"/files={tmp_path}") as server:
        assert len(urllib.request.urlopen(f"{server.url}/files/large").read()) == 100000
        kept = [http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE) for _ in range(3)]
        for client in kept:
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"
        silent = Client((server.host, server.port))
    assert silent.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        Client((server.host, server.port))
    for client in [*kept, silent.socket]:
        client.close()
    assert held() == before
    assert log.read_text().count('"GET / HTTP/1.1" 200') == 3
    assert caplog.records == []


def test_it_is_entered_again_but_not_twice() -> None:
    with serve(HELLO):  # what a process opens once
        pass
    before, server = held(), serve(failing)
    for path in ("/first", "/second"):
        with server:
            assert ask(server, path)[0] == 500
            assert [str(error) for error in server.errors] == [path]
            with pytest.raises(RuntimeError, match="this server is in use"):
                server.__enter__()
    assert held() == before


def test_where_it_listens(pki: Pki, tmp_path: Path) -> None:
    with serve(HELLO, "::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert (server.host, ask(server)) == ("::1", (200, b"hello"))
    with serve(HELLO, "0.0.0.0", port=server.port) as again:
        assert again.url == f"http://127.0.0.1:{server.port}"
        assert ask(again) == (200, b"hello")
    path = str(tmp_path / "a b.sock")
    with serve(HELLO, bind=f"unix:{path}") as server:
        assert (server.host, server.port, server.url[:15]) == (path, 0, "http+unix://%2F")
        with Client(path) as client:
            assert client.send(GET).answer().body == b"hello"
    assert not os.path.exists(path)
    certificate, key = pki.pair
    with serve(HELLO, "localhost", certfile=certificate, keyfile=key) as server:
        assert re.fullmatch("https://localhost:[0-9]+", server.url)
        context = ssl.create_default_context(cafile=pki.authority.certificate)
        with urllib.request.urlopen(server.url, timeout=PATIENCE, context=context) as answer:
            assert answer.read() == b"hello"


def test_failures_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    with serve(failing) as server:
        assert ask(server, "/one")[0] == 500
        assert [str(error) for error in server.errors] == ["/one"]
        assert server.errors[0].__traceback__ is not None
    assert [record.name for record in caplog.records] == ["fastwsgi.error"]
    assert "ValueError: /one" in caplog.text

    with pytest.raises(ValueError, match="/one"):
        raising("/one")
    with pytest.raises(TOGETHER) as raised:
        raising("/one", "/two")
    if sys.version_info >= (3, 11):
        assert [str(error) for error in raised.value.exceptions] == ["/one", "/two"]
    else:
        assert str(raised.value) == "/one"
        assert "ValueError: /two" in raised.value.__notes__[0]
    with pytest.raises(KeyError) as own:
        raising("/one", own=KeyError)
    assert "ValueError: /one" in own.value.__notes__[0]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_the_run_of_the_tests(kind: type[BaseException]) -> None:
    def leaving(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise kind("no")

    with pytest.raises(RuntimeError, match=rf"the application has raised {kind.__name__}\('no'\)") as raised:
        with serve(leaving, raise_errors=True) as server:
            assert ask(server)[0] == 500
    assert raised.value.__cause__ is server.errors[0]


def test_many_at_once() -> None:
    def outer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with serve(HELLO) as inner:
            return answering(ask(inner)[1])(environ, start_response)  # type: ignore[return-value]

    def use() -> None:
        with serve(outer) as one, serve(HELLO) as other:
            assert one.port != other.port
            found.append((ask(one), ask(other)))

    found: list[Any] = []
    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [((200, b"hello"), (200, b"hello"))] * 4


@pytest.mark.parametrize("threads", [1, 4])
def test_a_request_in_flight(threads: int, caplog: pytest.LogCaptureFixture) -> None:
    entered, leave = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/stream":
            return answering(b"")(environ, start_response) and iter(lambda: leave.wait(0.01) or b"x", True)
        entered.set()
        leave.wait(PATIENCE)
        return HELLO(environ, start_response)

    with serve(app, threads=threads) as server:  # is waited for
        client = Client((server.host, server.port)).send(request(target="/held"))
        assert entered.wait(PATIENCE)
        threading.Timer(0.05, leave.set).start()
    assert client.answer().body == b"hello"
    client.socket.close()
    for path in ("/held", "/stream"):  # and is cut
        entered.clear(), leave.clear()
        with serve(app, threads=threads, graceful_timeout=0.05) as server:
            client = Client((server.host, server.port)).send(request(target=path))
            assert entered.wait(PATIENCE) if path == "/held" else client.more()
        if path == "/held":
            assert client.answer().status == 504
        else:
            assert not client.answer().whole
        leave.set()
        client.socket.close()
    assert caplog.text.count("1 request is cut, as --graceful-timeout is over: GET /") == 2
    for thread in threading.enumerate():
        if thread.name.startswith("fastwsgi"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_fork_of_the_test() -> None:
    with serve(HELLO) as server:
        pid = os.fork()
        if pid == 0:
            server.__exit__(None, None, None)
            os._exit(7 if ask_in_child(server) else 8)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert ask(server) == (200, b"hello")


def ask_in_child(server: Server) -> bool:
    with Client((server.host, server.port)) as client:
        try:
            return client.send(GET).answer().body == b"hello"  # the parent answers
        except (Ended, OSError):
            return False


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"workers": 2}, "workers needs worker processes, and this server is a thread: try it with the command"),
        ({"timeout": 3}, "timeout needs worker processes"),
        ({"loops": 2}, "loops cannot be 2: with a GIL" if HAS_GIL else "loops: a server for tests has one"),
        ({"log_level": "debug"}, "log_level: a server for tests logs as the program has set up its logging"),
        ({"bind": "127.0.0.1:0", "port": 4}, "bind takes the place of host and port: leave one out"),
        ({"keepalives": 3}, "unknown setting 'keepalives'; did you mean"),
        ({"threads": "many"}, "threads='many' must be a whole number from 1 to 1024"),
        ({"chdir": "/"}, "chdir says how to find the application"),
    ],
)
def test_what_it_refuses(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingError, match=f"^{re.escape(line)}"):
        serve(HELLO, **settings)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    before = held()
    with serve(HELLO) as server, pytest.raises(BindError, match=r"very process.* another port with port or bind$"):
        serve(HELLO, port=server.port).__enter__()
    with pytest.raises(Mistake, match=r"^certfile /absent: No such file") as raised:
        serve(HELLO, certfile="/absent").__enter__()
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # as test runners with processes send it
    with pytest.raises(Mistake, match=r"^access_logfile .*: Is a directory"):
        serve(HELLO, access_logfile=str(tmp_path)).__enter__()
    with pytest.raises(Mistake, match=r"^static /static=/absent: /absent: No such file"):
        serve(HELLO, static="/static=/absent").__enter__()
    with pytest.raises(TypeError, match="takes the WSGI application itself"):
        serve("shop:app")  # type: ignore[arg-type]
    assert held() == before


def test_it_warns_of_what_has_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    serve(HELLO, forwarded_hops=2)
    assert "forwarded_hops has no effect without --forwarded-allow-ips" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
