"""Several threads run the application: one that waits holds up nobody, and each answer goes where it belongs."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.monitors import plant
from tests.helpers.serving import GET, PATIENCE, Client, Server, await_loop, request, serving


class Gate:
    """An application with a gate: requests for /wait enter and stay until it opens; others answer at once."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.threads: list[int] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith("/wait"):
            self.wait()
        elif path == "/fail":
            self.wait()
            raise RuntimeError("planted")
        elif path == "/cut":
            write = start_response("200 OK", [("Content-Length", "10")])
            write(b"half")
            self.wait()
            raise RuntimeError("planted")
        elif path == "/write":
            write = start_response("200 OK", [])
            write(b"one ")
            self.wait()
            write(b"two")
            return []
        elif path == "/hints":
            self.wait()
            environ["wsgi.early_hints"]([("Link", "</a.css>")])
        start_response("200 OK", [])
        return [path.encode() + environ["wsgi.input"].read()]

    def wait(self) -> None:
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        self.threads.append(threading.get_ident())

    def await_entered(self, count: int = 1) -> None:
        """Return when *count* more calls are at the gate."""
        for _ in range(count):
            assert self.entered.acquire(timeout=PATIENCE)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


@contextmanager
def waiting(server: Server, gate: Gate, count: int, target: str = "/wait") -> Iterator[list[Client]]:
    """Clients whose requests are at the gate."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(server.connect())
            client.send(request(target=target))
            gate.await_entered()
            clients.append(client)
        yield clients
        gate.opened.set()


def test_as_many_calls_run_as_there_are_threads(build: SimpleNamespace) -> None:
    together = threading.Barrier(4, timeout=PATIENCE)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        together.wait()
        start_response("200 OK", [])
        return [str(environ["wsgi.multithread"]).encode()]

    with serving(build, app, threads=4) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        for _ in range(2):
            for client in clients:
                client.send(GET)
            assert [client.answer().body for client in clients] == [b"True"] * 4


def test_one_free_thread_is_enough_for_the_others(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=4) as server, waiting(server, gate, 3) as waiters, server.connect() as client:
        for _ in range(50):
            assert client.send(GET).answer().body == b"/"
        gate.opened.set()
        for waiter in waiters:
            assert waiter.answer().body == b"/wait"
            assert waiter.send(GET).answer().body == b"/"  # the connection goes on
        assert len(set(gate.threads)) == 3


def test_requests_queue_when_all_threads_are_busy(build: SimpleNamespace, gate: Gate) -> None:
    queued: list[float] = []

    class Observer:
        """Notes how long requests were queued."""

        def request_started(self, *arguments: Any) -> None: ...
        def response_started(self, *arguments: Any) -> None: ...
        def tick(self) -> None: ...

        def response_ended(self, exchange: Any) -> None:
            queued.append(exchange.queued)

    with serving(build, gate, Observer(), threads=2) as server:
        with waiting(server, gate, 2) as waiters, ExitStack() as stack:
            others = [stack.enter_context(server.connect()) for _ in range(5)]
            for number, client in enumerate(others):
                client.send(request("POST", f"/{number}", body=b" body"))
            await_loop(server, lambda loop: len(loop.pool.queued_requests) == 5)
            gate.opened.set()
            assert [client.answer().body for client in others] == [b"/%d body" % number for number in range(5)]
            assert [client.answer().body for client in waiters] == [b"/wait"] * 2
            await_loop(server, lambda loop: loop.pool.running == 0)  # a thread is free only behind its answer
            assert others[0].send(GET).answer().body == b"/"
    assert sorted(seconds > 0 for seconds in queued) == [False] * 3 + [True] * 5


def test_a_full_queue_is_a_503(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2, max_queue=1) as server:
        with waiting(server, gate, 2), server.connect() as queued, server.connect() as refused:
            queued.send(GET)
            await_loop(server, lambda loop: len(loop.pool.queued_requests) == 1)
            answer = refused.send(GET).answer()
            assert (answer.status, answer.get("Retry-After"), answer.get("Connection")) == (503, "1", "close")
            gate.opened.set()
            assert queued.answer().status == 200


@pytest.mark.parametrize("leave", ["reset", "finish"])
def test_a_queued_request_whose_client_has_reset_is_not_run(build: SimpleNamespace, gate: Gate, leave: str) -> None:
    """One that only sends no more still waits for its answer."""
    asked: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["PATH_INFO"])
        return gate(environ, start_response)

    with serving(build, app, threads=2) as server:
        with waiting(server, gate, 2), server.connect() as leaving, server.connect() as staying:
            for number, client in enumerate((leaving, staying)):
                client.send(request(target=f"/{number}"))
                await_loop(server, lambda loop, count=number + 1: len(loop.pool.queued_requests) == count)
            getattr(leaving, leave)()
            gate.opened.set()
            assert staying.answer().body == b"/1"
            if leave == "finish":
                assert leaving.answer().body == b"/0"
        await_loop(server, lambda loop: not loop.connections)
        assert server.errors == []
    assert ("/0" in asked) == (leave == "finish")


def test_pipelined_requests_keep_their_order(build: SimpleNamespace, gate: Gate) -> None:
    targets = ["/a", "/wait1", "/b", "/wait2", "/c"]
    with serving(build, gate, threads=2) as server, server.connect() as client:
        client.send(b"".join(request(target=target) for target in targets) + GET[:10])
        gate.await_entered()
        gate.opened.set()
        assert [client.answer().body.decode() for _ in targets] == targets
        assert client.send(GET[10:]).answer().body == b"/"


def test_what_comes_meanwhile_is_served_after(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 1) as (client,):
        client.send(request("POST", "/next", body=b"!")[:-1])
        server.settle()
        gate.opened.set()
        assert client.answer().body == b"/wait"
        assert client.send(b"!").answer().body == b"/next!"


@pytest.mark.parametrize("target", ["/write", "/hints"])
def test_what_an_application_sends_from_another_thread(build: SimpleNamespace, gate: Gate, target: str) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 1, target) as (client,):
        with server.connect() as other:
            assert other.send(GET).answer().status == 200  # the loop is another thread's now
        gate.opened.set()
        if target == "/hints":
            assert client.answer().status == 103
        assert client.answer().body == {"/write": b"one two", "/hints": b"/hints"}[target]
        assert client.send(GET).answer().status == 200


@pytest.mark.parametrize("target", ["/fail", "/cut"])
def test_a_failure_on_another_thread(build: SimpleNamespace, gate: Gate, target: str) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 1, target) as (client,):
        with server.connect() as other:
            assert other.send(GET).answer().status == 200
        gate.opened.set()
        answer = client.answer()
        assert (answer.status, answer.whole) == ((500, True) if target == "/fail" else (200, False))
        server.settle()
    assert "planted" in server.log


def test_a_client_that_leaves_meanwhile(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 1) as (client,):
        client.reset()
        with server.connect() as other:
            assert other.send(GET).answer().status == 200
            gate.opened.set()
            await_loop(server, lambda loop: len(loop.connections) == 1)
            assert other.send(GET).answer().status == 200


# The end


def test_a_stop_answers_what_runs_and_what_waits(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 2) as waiters, server.connect() as queued:
        queued.send(GET)
        await_loop(server, lambda loop: len(loop.pool.queued_requests) == 1)
        server.stop()
        gate.opened.set()
        for client in (*waiters, queued):
            answer = client.answer()
            assert (answer.status, answer.get("Connection")) == (200, "close")
            assert (client.rest(), client.end) == (b"", "closed")
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_the_loop_does_not_wait_for_a_thread_that_never_returns(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=2) as server, waiting(server, gate, 1) as (client,):
        server.stop()
        server.call(lambda: None)
        server.loop.abort()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        gate.opened.set()
        client.rest()


def test_idle_connections_are_answered_for_the_grace(build: SimpleNamespace, gate: Gate) -> None:
    with serving(build, gate, threads=1) as server, server.connect() as client, server.connect() as silent:
        assert client.send(GET).answer().get("Connection") is None
        assert silent.send(GET).answer().status == 200
        server.call(lambda: server.loop.stop(30.0))
        answer = client.send(GET).answer()
        assert (answer.status, answer.get("Connection")) == (200, "close")
        assert not silent.is_readable(0.05)
        server.clock.offset += 31
        assert (silent.rest(), silent.end) == (b"", "closed")
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


# All at once


class Mixed:
    """Answers with the target; some calls block for moments, some stream."""

    def __init__(self) -> None:
        self.pause = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        target = environ["RAW_URI"]
        body = environ["wsgi.input"].read()
        if "slow" in target:
            self.pause.wait(0.003)
        start_response("200 OK", [])
        if "stream" in target:
            return (target.encode() + body for _ in range(100))
        return [target.encode(), body]


def talk(server: Server, number: int, failures: list[str]) -> None:
    """A client that sends what comes to its mind, pipelined and split, and checks each answer."""
    chance = random.Random(number)
    try:
        for _ in range(6):
            with server.connect() as client:
                for _ in range(chance.randrange(1, 6)):
                    data, wanted = b"", []
                    for _ in range(chance.randrange(1, 5)):
                        kind = chance.choice(["fast", "fast", "slow", "stream", "slow-stream"])
                        target = f"/{kind}?{chance.random()}"
                        body = bytes(chance.randrange(2000)) if chance.random() < 0.3 else b""
                        data += request("POST" if body else "GET", target, body=body)
                        wanted.append((target.encode() + body) * (100 if "stream" in target else 1))
                    cut = chance.randrange(len(data))
                    client.send(data[:cut]).send(data[cut:])
                    if chance.random() < 0.1:
                        break  # gone without reading
                    for body in wanted:
                        answer = client.answer()
                        if not answer.whole or answer.body != body:
                            failures.append(f"{number}: {answer.line!r} instead of {body[:50]!r}")
    except BaseException as error:
        failures.append(f"{number}: {error!r}")


@pytest.mark.parametrize(("threads", "whims"), [(2, False), (4, False), (3, True)])
def test_every_answer_is_right_in_the_thick_of_it(
    build: SimpleNamespace, threads: int, whims: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the monitor's verdict is another at each look: the queue is left to the loop, and taken back."""
    failures: list[str] = []
    if whims:
        plant(build, monkeypatch).calm = property(lambda monitor: random.random() < 0.5)
    with serving(build, Mixed(), threads=threads) as server:
        clients = [threading.Thread(target=talk, args=(server, number, failures)) for number in range(12)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE * 3)
            assert not client.is_alive()
        server.settle()
    assert failures == []
