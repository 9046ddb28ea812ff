"""Several loops of one process (server/loops.py): what they share out, what they do together, and how they end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.server.loop import Loop
from fastwsgi.server.loops import Loops
from fastwsgi.settings.settings import Settings
from tests.helpers.loops import Group, looping
from tests.helpers.serving import GET, Client, request
from tests.helpers.waiting import until

HOLD = request(target="/hold")


class Gate:
    """An application whose calls to /hold wait until it is opened, and that counts how many run at a time."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.running = self.most = self.calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self.lock:
            self.running += 1
            self.calls += 1
            self.most = max(self.most, self.running)
        if environ["PATH_INFO"] == "/hold":
            self.opened.wait(1000)
        start_response("200 OK", [])
        with self.lock:
            self.running -= 1
        return [str(threading.get_ident()).encode()]

    def hold(self, stack: ExitStack, group: Group, count: int) -> list[Client]:
        """Begin *count* calls, each on a connection of its own, one after the other."""
        clients = []
        for _ in range(count):
            wanted = self.running + 1
            clients.append(stack.enter_context(group.connect()).send(HOLD))
            until(lambda wanted=wanted: self.running == wanted)
        return clients


def test_a_loop_in_a_call_leaves_new_connections_to_the_others(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, 3, threads=3) as group, ExitStack() as stack:
        held = gate.hold(stack, group, 2)  # a thread each
        assert len({group.ask().body for _ in range(20)}) == 1
        gate.opened.set()
        assert len({client.answer().body for client in held}) == 2


def test_so_many_calls_run_at_a_time_as_there_are_threads(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, threads=4) as group, ExitStack() as stack:
        clients = gate.hold(stack, group, 4)
        clients += [stack.enter_context(group.connect()).send(HOLD) for _ in range(6)]
        until(lambda: group.loops.queued() == 6)
        assert group.loops.in_flight() == group.loops.open_connections() == 10
        assert len(group.loops.calls()) == 4
        gate.opened.set()
        assert [client.answer().status for client in clients] == [200] * 10
        assert gate.most == 4
        assert group.loops.requests == 10


def clients_of(stack: ExitStack, group: Group, wanted: int, others: int = 1) -> tuple[list[Client], list[Client]]:
    """*wanted* clients of one loop, and *others* of another."""
    of: dict[Any, list[Client]] = {}
    while len(of) < 2 or max(map(len, of.values())) < wanted or min(map(len, of.values())) < others:
        client = stack.enter_context(group.connect())
        client.send(GET).answer()
        of.setdefault(group.loop_of(client), []).append(client)
    one, other = sorted(of.values(), key=len, reverse=True)
    return one[:wanted], other[:others]


class Gates:
    """An application whose calls to each of *paths* wait until that is opened, and that tells which have begun."""

    def __init__(self, *paths: str) -> None:
        self.gates = {path: threading.Event() for path in paths}
        self.entered: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in self.gates:
            self.entered.append(path)
            self.gates[path].wait(1000)
        start_response("200 OK", [])
        return []

    def open(self, *paths: str) -> None:
        for path in paths:
            self.gates[path].set()


def test_a_loop_borrows_as_often_as_others_have_what_it_needs(build: SimpleNamespace) -> None:
    gates = Gates("/own", "/other")
    with looping(build, gates, threads=4) as group, ExitStack() as stack:
        clients, others = clients_of(stack, group, 6, 2)
        for count, other in enumerate(others, 1):
            other.send(request(target="/other"))
            until(lambda count=count: gates.entered.count("/other") == count)
        for client in clients:
            client.send(request(target="/own"))
        until(lambda: (gates.entered.count("/own"), group.loops.queued()) == (2, 4))
        gates.open("/other")
        until(lambda: (gates.entered.count("/own"), group.loops.queued()) == (4, 2))
        gates.open("/own")
        assert [client.answer().status for client in (*clients, *others)] == [200] * 8


def test_a_place_goes_back_to_a_loop_that_is_short_whatever_else_waits(build: SimpleNamespace) -> None:
    gates = Gates("/1", "/2", "/3", "/4")
    with looping(build, gates, threads=2) as group, ExitStack() as stack:
        clients, (other,) = clients_of(stack, group, 3)
        for count, path in enumerate(("/1", "/2"), 1):  # the second in a place of the other loop
            clients[count - 1].send(request(target=path))
            until(lambda count=count: len(gates.entered) == count)
        clients[2].send(request(target="/3"))
        until(lambda: group.loops.queued() == 1)
        other.send(request(target="/4"))
        until(lambda: group.loops.queued() == 2)
        gates.open("/1")
        until(lambda: len(gates.entered) == 3)
        assert gates.entered[2] == "/4"
        gates.open("/2", "/3", "/4")
        assert [client.answer().status for client in (*clients, other)] == [200] * 4


def test_a_loop_that_has_lent_all_places_gets_one_back_that_nobody_needs(build: SimpleNamespace) -> None:
    """Without any it would take no connections, and so never ask for it."""
    gate = Gate()
    with looping(build, gate, threads=2) as group, ExitStack() as stack:
        clients, _ = clients_of(stack, group, 2)
        for count, client in enumerate(clients, 1):
            client.send(HOLD)
            until(lambda count=count: gate.running == count)
        assert sorted(loop.pool.size for loop in group.each if loop.pool is not None) == [0, 2]
        gate.opened.set()
        assert [client.answer().status for client in clients] == [200] * 2
        until(lambda: all(loop.pool is not None and loop.pool.size == 1 for loop in group.each))
        until(lambda: not any(loop.is_short for loop in group.each))


@pytest.mark.skipif(HAS_GIL, reason="with a GIL there is no guard")
def test_a_loop_that_logs_an_error_holds_up_nobody(build: SimpleNamespace) -> None:
    taken: list[bool] = []

    def take_guard() -> None:
        taken.append(loop.guard.try_to_take())
        loop.guard.let_go()

    def log(message: str, error: BaseException | None) -> None:
        thread = threading.Thread(target=take_guard)
        thread.start()
        thread.join()

    loop = Loop(build, Gate(), Settings(), log, ErrorStream())
    with closing(loop), loop.guard.held():
        loop.log_error("planned", None)
    assert taken == [True]


def test_a_loop_is_handed_over_inside_itself(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, threads=4) as group, ExitStack() as stack:
        clients = [stack.enter_context(group.connect()) for _ in range(3)]
        for client in clients:
            client.send(GET).answer()
        of_loop = [group.loop_of(client) for client in clients]
        one = next(number for number in range(3) if of_loop.count(of_loop[number]) > 1)
        other = next(number for number in range(3) if number != one and of_loop[number] is of_loop[one])
        clients[one].send(HOLD)
        until(lambda: gate.running)
        assert clients[other].send(GET).answer().status == 200
        gate.opened.set()
        assert clients[one].answer().status == 200


def test_a_stop_answers_what_any_loop_has_in_flight(build: SimpleNamespace) -> None:
    gate, closed = Gate(), []
    with looping(build, gate, threads=2) as group, ExitStack() as stack:
        group.loops.stopped_accepting = lambda: closed.append(threading.get_ident())
        held = gate.hold(stack, group, 2)
        group.loops.stop()
        gate.opened.set()
        assert [client.answer().get("Connection") for client in held] == ["close"] * 2
        group.ends()
        assert group.failure is None
        assert len(closed) == 1


def test_a_stop_waits_for_the_last_loop(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate) as group, ExitStack() as stack:
        (held,) = gate.hold(stack, group, 1)
        group.loops.stop()
        until(lambda: all(loop.stopping for loop in group.each))
        assert group.thread.is_alive()
        gate.opened.set()
        assert held.answer().status == 200
        group.ends()


def test_a_drain_concerns_all_loops(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, threads=2) as group, ExitStack() as stack:
        held = gate.hold(stack, group, 2)
        group.loops.drain()
        gate.opened.set()
        assert [client.answer().get("Connection") for client in held] == ["close"] * 2
        assert group.ask().get("Connection") == "close"


def test_a_halt_begins_no_other_call(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, threads=2) as group, ExitStack() as stack:
        held = gate.hold(stack, group, 2)
        for client in held:
            client.send(GET)
        group.loops.halt()
        gate.opened.set()
        group.ends()
        assert group.failure is None
    assert gate.calls <= 4  # a thread may be about to go on with what its client has sent


def test_an_abort_waits_for_no_connection(build: SimpleNamespace) -> None:
    with ExitStack() as stack:
        with looping(build, Gate()) as group:
            clients = [stack.enter_context(group.connect()) for _ in range(6)]
            for client in clients:
                client.send(GET).answer()
            group.loops.stop(1000.0)  # seconds for idle connections
            group.loops.abort()
            group.ends()
        assert {client.rest() for client in clients} == {b""}


def test_the_quota_is_one_of_all_loops(build: SimpleNamespace) -> None:
    reached: list[int] = []
    with looping(build, Gate()) as group, ExitStack() as stack:
        group.loops.set_quota(50, lambda: reached.append(group.loops.requests))
        clients = [stack.enter_context(group.connect()) for _ in range(4)]
        sent = 0
        while not reached:
            clients[sent % 4].send(GET).answer()
            sent += 1
        for _ in range(20):
            group.ask()
    assert 50 <= sent <= 52
    assert len(reached) == 1


def test_connections_of_a_client_count_over_all_loops(build: SimpleNamespace) -> None:
    gate = Gate()
    with looping(build, gate, threads=3, count=3, max_connections_per_ip=3) as group, ExitStack() as stack:
        held = gate.hold(stack, group, 2)  # each at another loop
        held += [stack.enter_context(group.connect()).send(GET)]
        held[-1].answer()
        with suppress(ConnectionResetError), group.connect() as excess:
            assert (excess.rest(), excess.end) == (b"", "reset")
        gate.opened.set()
        held.pop().socket.close()
        until(lambda: group.loops.open_connections() == 2)
        assert group.ask().status == 200



def test_a_loop_is_served_by_the_thread_that_has_made_it(build: SimpleNamespace) -> None:
    """Without a GIL, what it has made is cheapest for it."""
    with looping(build, Gate(), threads=2) as group:
        makers = {str(one.ident).encode() for one in threading.enumerate() if one.name.startswith("fastwsgi-loop")}
        assert group.ask().body in makers


def test_a_loop_that_cannot_be_made_leaves_no_threads(build: SimpleNamespace) -> None:
    def fail() -> Any:
        raise RuntimeError("planned")

    group = Group(build, Gate(), 2, {})
    makers = [lambda: group.each[0], fail, lambda: group.each[1]]
    before = threading.active_count()
    with closing(group), pytest.raises(RuntimeError, match="planned"):
        Loops(makers)
    until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("ends", ["by an abort", "by a failure"])
def test_a_loop_ends_while_its_thread_is_in_a_call(build: SimpleNamespace, ends: str) -> None:
    gate = Gate()
    reader, writer = socket.socketpair()

    def fail() -> None:
        raise RuntimeError("planned")

    with reader, writer, looping(build, gate, threads=4) as group, ExitStack() as stack:
        (held,) = gate.hold(stack, group, 1)
        loop: Any = group.loop_of(held)
        until(lambda: loop.caller in loop.pool.detached)  # it is handed over
        if ends == "by an abort":
            group.loops.abort()
        else:
            loop.add_waker(reader.fileno(), fail)
            writer.send(b"x")
        group.ends()
        assert (group.failure is not None) is (ends == "by a failure")
        gate.opened.set()


def test_a_failure_of_one_loop_ends_all(build: SimpleNamespace) -> None:
    gate = Gate()
    reader, writer = socket.socketpair()

    def fail() -> None:
        raise RuntimeError("planned")

    with reader, writer, looping(build, gate, threads=2) as group, ExitStack() as stack:
        (held,) = gate.hold(stack, group, 1)
        group.each[group.each.index(group.loop_of(held)) - 1].add_waker(reader.fileno(), fail)
        writer.send(b"x")
        gate.opened.set()
        group.ends()
        assert str(group.failure) == "planned"
        until(lambda: not [one for one in threading.enumerate() if one.name.startswith("fastwsgi-loop")])
