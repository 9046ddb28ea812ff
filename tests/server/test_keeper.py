"""With one thread, routes are answered while it is in the application, and all of the application runs on it alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import figures
from tests.helpers.figures import histogram, rows
from tests.helpers.serving import GET, PATIENCE, Client, Server, answering, await_loop, chunked, request, serving

PROBE = request(target="/livez")
SOON = 0.4  # seconds; the deadline of an application call
ROUTES = {"/livez": answering(b"ok")}


class App:
    """An application that notes on which thread each of its steps runs; its requests for /held wait until let go."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.called: list[str] = []
        self.entered = threading.Semaphore(0)
        self.let_go = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.note()
        path = environ["PATH_INFO"]
        self.called.append(path)
        if path == "/held":
            self.hold()
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return Pieces(self) if path == "/stream" else [path.encode() + body]

    def note(self) -> None:
        """Note the thread."""
        self.threads.append(threading.get_ident())

    def hold(self) -> None:
        """Wait until let go."""
        self.entered.release()
        assert self.let_go.wait(PATIENCE)

    def await_entered(self) -> None:
        """Return when one more request is held."""
        assert self.entered.acquire(timeout=PATIENCE)


class Pieces:
    """A response of 100 pieces of 64 KiB, made piece by piece."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(100):
            self.app.note()
            yield bytes(65536)

    def close(self) -> None:
        self.app.note()
        self.app.called.append("close")
        self.closed.set()


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    yield app
    app.let_go.set()


def hold(server: Server, app: App, stack: ExitStack) -> Client:
    """A client whose request holds the application's thread, while the keeper has the loop."""
    client = stack.enter_context(server.connect())
    client.send(request(target="/held"))
    app.await_entered()
    await_loop(server, lambda loop: loop.service.kept)
    return client


def await_queue(server: Server, count: int) -> None:
    """Return when *count* wait for the application's thread."""
    await_loop(server, lambda loop: len(loop.pool.queued_requests) == count)


def test_there_is_one_keeper_however_often_it_is_called(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server:
        for _ in range(3):
            with ExitStack() as stack:
                held = hold(server, app, stack)
                app.let_go.set()
                assert held.answer().body == b"/held"
                await_loop(server, lambda loop: not loop.service.kept)
                assert len(server.loop.pool._threads) == 1
            app.let_go.clear()


def test_a_call_is_given_up_as_the_keeper_comes_for_it(build: SimpleNamespace, app: App) -> None:
    on_its_way, go_on = threading.Event(), threading.Event()

    def take_loop(stuck_call: int | None) -> bool:
        on_its_way.set()
        with server.loop.guard.given_up():
            assert go_on.wait(PATIENCE)
        return take(stuck_call)

    with serving(build, app, routes=ROUTES, timeout=PATIENCE * 2) as server, server.connect() as held:
        pool = server.call(lambda: server.loop.pool)
        take, pool._take_loop = pool._take_loop, take_loop
        held.send(request(target="/held"))
        app.await_entered()
        assert on_its_way.wait(PATIENCE)
        ((thread, connection),) = server.loop.calls()
        assert server.loop.give_up(thread, connection, connection.exchange)
        assert len(pool._threads) == 1
        go_on.set()
        assert held.answer().status == 504
        assert server.ask(PROBE).body == b"ok"
        assert server.ask(GET).body == b"/"
        app.let_go.set()


def test_routes_are_answered_and_requests_queue_in_order(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        clients = [stack.enter_context(server.connect()) for _ in range(5)]
        for number, client in enumerate(clients):
            client.send(request(target=f"/{number}") + PROBE)
            await_queue(server, number + 1)
        late = stack.enter_context(server.connect())
        late.send(request("POST", "/late", [("Transfer-Encoding", "chunked")]) + chunked(b"a")[:4])
        assert server.ask(PROBE).body == b"ok"
        late.send(chunked(b"a")[4:])
        await_queue(server, 6)
        assert server.ask(PROBE).body == b"ok"
        assert app.called == ["/held"]
        app.let_go.set()
        assert held.answer().body == b"/held"
        for number, client in enumerate(clients):
            assert [client.answer().body, client.answer().body] == [b"/%d" % number, b"ok"]
        assert late.answer().body == b"/latea"
        assert app.called == ["/held", "/0", "/1", "/2", "/3", "/4", "/late"]
        assert set(app.threads) == {server.thread.ident}
        await_loop(server, lambda loop: loop.pool.has_loop() and threading.get_ident() == server.thread.ident)


def test_while_calls_return_the_keeper_sleeps(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, server.connect() as client:
        for _ in range(3):
            assert client.send(GET + PROBE).answer().body == b"/"
            assert client.answer().body == b"ok"
        assert server.call(threading.get_ident) == server.thread.ident


def test_a_full_queue_is_a_503_and_a_route_is_not(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES, max_queue=1) as server, ExitStack() as stack:
        hold(server, app, stack)
        queued = stack.enter_context(server.connect()).send(GET)
        await_queue(server, 1)
        assert server.ask(GET).status == 503
        assert server.ask(PROBE).status == 200
        app.let_go.set()
        assert queued.answer().body == b"/"


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_queued_request_whose_client_is_gone(build: SimpleNamespace, app: App, leave: str) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        gone = server.connect().send(request(target="/gone"))
        await_queue(server, 1)
        gone.reset() if leave == "reset" else gone.socket.close()
        stays = stack.enter_context(server.connect()).send(request(target="/stays"))
        await_queue(server, 2)
        app.let_go.set()
        assert [held.answer().body, stays.answer().body] == [b"/held", b"/stays"]
        assert app.called == ["/held", "/stays"] if leave == "reset" else app.called[-1] == "/stays"


def test_the_queue_does_not_stop_at_clients_that_are_gone(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        gone = [server.connect().send(request(target="/gone")) for _ in range(40)]
        await_queue(server, 40)
        stays = stack.enter_context(server.connect()).send(request(target="/stays"))
        await_queue(server, 41)
        for client in gone:
            client.reset()
        app.let_go.set()
        assert [held.answer().body, stays.answer().body] == [b"/held", b"/stays"]
        await_queue(server, 0)
        assert app.called == ["/held", "/stays"]


def test_what_comes_while_the_queue_is_emptied_waits_behind_it(build: SimpleNamespace, app: App) -> None:
    with serving(build, lambda environ, start: call(environ, start), routes=ROUTES) as server, ExitStack() as stack:
        late = stack.enter_context(server.connect())

        def call(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/first":
                late.send(request(target="/late"))
            return app(environ, start_response)

        assert late.send(GET).answer().body == b"/"
        hold(server, app, stack)
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for number, path in enumerate(("/first", "/second", "/third")):
            clients[number].send(request(target=path))
            await_queue(server, number + 1)
        app.let_go.set()
        assert late.answer().body == b"/late"
        assert app.called == ["/", "/held", "/first", "/second", "/third", "/late"]


def test_a_route_does_not_wait_until_the_queue_is_empty(build: SimpleNamespace, app: App) -> None:
    probed: list[int] = []

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/short":
            time.sleep(0.01)  # too short for the keeper
            if "/short" not in app.called:
                probe.send(PROBE)
        return app(environ, start_response)

    def live(environ: dict[str, Any], start_response: Any) -> Any:
        probed.append(len(app.called))
        return ROUTES["/livez"](environ, start_response)

    with serving(build, call, routes={"/livez": live}) as server, ExitStack() as stack:
        probe = stack.enter_context(server.connect())
        hold(server, app, stack)
        clients = [stack.enter_context(server.connect()).send(request(target="/short")) for _ in range(30)]
        await_queue(server, 30)
        app.let_go.set()
        assert {client.answer().body for client in clients} == {b"/short"}
        assert probe.answer().body == b"ok"
        assert probed[0] < 15


def test_its_gauges_and_waits_are_those_of_a_pool(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        words = server.loop.meter.view
        gauges = [figures.BUSY, figures.SATURATED, figures.QUEUED]
        hold(server, app, stack)
        clients = [stack.enter_context(server.connect()).send(GET) for _ in range(2)]
        await_queue(server, 2)
        assert ([words[one] for one in gauges], rows(words)) == ([1, 1, 2], ["GET /held"])
        assert 0 < words[figures.SATURATED_SINCE] <= words[figures.OLDEST_QUEUED] <= time.monotonic_ns()
        app.let_go.set()
        assert [client.answer().body for client in clients] == [b"/", b"/"]
        await_loop(server, lambda loop: not loop.service.kept)
        assert [words[one] for one in (*gauges, figures.SATURATED_SINCE, figures.OLDEST_QUEUED)] == [0] * 5
        assert sum(histogram(words, figures.QUEUE_TIMES)) == 2
        assert words[figures.QUEUE_TIMES + figures.HISTOGRAM - 1] > 0


def test_a_stream_for_a_slow_client_goes_on_where_it_began(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        slow = stack.enter_context(server.connect(receive_buffer=4096))
        slow.send(request(target="/stream"))
        await_loop(server, lambda loop: any(one.waits == "write" for one in loop.all_connections()))
        held = hold(server, app, stack)
        while server.call(lambda: len(server.loop.pool.queued_requests)) == 0:
            slow.more()
        assert server.ask(PROBE).body == b"ok"
        app.let_go.set()
        answer = slow.answer()
        assert (answer.whole, len(answer.body)) == (True, 6553600)
        assert held.answer().body == b"/held"
        assert slow.send(GET).answer().body == b"/"
        assert app.called == ["/stream", "/held", "close", "/"]
        assert set(app.threads) == {server.thread.ident}


def test_a_stream_for_a_client_that_stalls_is_closed_where_it_began(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES, write_timeout=5) as server, ExitStack() as stack:
        slow = stack.enter_context(server.connect(receive_buffer=4096))
        slow.send(request(target="/stream"))
        await_loop(server, lambda loop: any(one.waits == "write" for one in loop.all_connections()))
        held = hold(server, app, stack)
        server.clock.advance(3600)
        await_queue(server, 1)
        assert app.called == ["/stream", "/held"]
        app.let_go.set()
        assert held.answer().body == b"/held"
        await_queue(server, 0)
        assert server.connections() == 1
        assert app.called == ["/stream", "/held", "close"]
        assert set(app.threads) == {server.thread.ident}


def test_a_large_list_needs_no_thread(build: SimpleNamespace, app: App) -> None:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/large":
            return app(environ, start_response)
        start_response("200 OK", [])
        return [bytes(65536)] * 100

    with serving(build, call, routes=ROUTES) as server, ExitStack() as stack:
        slow = stack.enter_context(server.connect(receive_buffer=4096))
        slow.send(request(target="/large"))
        await_loop(server, lambda loop: any(one.waits == "write" for one in loop.all_connections()))
        hold(server, app, stack)
        assert len(slow.answer().body) == 6553600
        app.let_go.set()


def test_past_the_deadline_another_thread_is_the_application_s(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES, timeout=SOON) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        queued = stack.enter_context(server.connect()).send(GET)
        await_queue(server, 1)
        assert held.answer().status == 504
        assert queued.answer().body == b"/"
        again = hold(server, app, stack)  # there is another keeper, too
        assert server.ask(PROBE).body == b"ok"
        assert again.answer().status == 504
        await_loop(server, lambda loop: not loop.service.full)
        assert server.ask(GET).body == b"/"
        app.let_go.set()
        assert server.ask(GET).body == b"/"
        assert server.ask(PROBE).body == b"ok"


@pytest.mark.parametrize("waits", [True, False])
def test_a_stop_while_the_keeper_has_the_loop(build: SimpleNamespace, app: App, waits: bool) -> None:
    """What was accepted is answered, and so are probes on connections that are there."""
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        queued = stack.enter_context(server.connect())
        if waits:
            queued.send(GET)
            await_queue(server, 1)
        idle = stack.enter_context(server.connect())
        assert idle.send(PROBE).answer().status == 200
        server.call(lambda: server.loop.stop(5.0))
        assert idle.send(PROBE).answer().get("Connection") == "close"
        app.let_go.set()
        assert held.answer().body == b"/held"
        if waits:
            assert queued.answer().body == b"/"
        queued.socket.close()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        assert set(app.threads) == {server.thread.ident}


def test_an_abort_while_the_keeper_has_the_loop(build: SimpleNamespace, app: App) -> None:
    with serving(build, app, routes=ROUTES) as server, ExitStack() as stack:
        held = hold(server, app, stack)
        queued = stack.enter_context(server.connect()).send(GET)
        await_queue(server, 1)
        other = stack.enter_context(server.connect())
        assert other.send(PROBE).answer().status == 200
        server.call(server.loop.abort)
        assert other.rest() == b""
        app.let_go.set()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        assert app.called == ["/held"]
        del held, queued


def test_calls_that_are_a_little_slow(build: SimpleNamespace) -> None:
    """The loop goes to and fro many times, with requests coming all the while."""
    threads = set()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        threads.add(threading.get_ident())
        threading.Event().wait(int(environ["QUERY_STRING"]) / 1000)
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode() + environ["wsgi.input"].read()]

    def talk(server: Server, number: int, failures: list[str]) -> None:
        with server.connect() as client:
            for turn in range(30):
                milliseconds, body = (number * turn) % 13, b"x" * (turn % 3)
                client.send(request("POST", f"/?{milliseconds}", body=body) + PROBE)
                answers = [client.answer().body, client.answer().body]
                if answers != [b"%d" % milliseconds + body, b"ok"]:
                    failures.append(f"{number} {turn}: {answers}")

    failures: list[str] = []
    with serving(build, app, routes=ROUTES) as server:
        clients = [threading.Thread(target=talk, args=(server, number, failures)) for number in range(1, 7)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE)
        assert threads == {server.thread.ident}
    assert failures == []
