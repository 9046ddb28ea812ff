"""The tables of states.py are whole, the sources keep to them, and the pure build asserts each step.

What the sources say is read from their texts: each call that changes a state or a place, with its event and what
follows. Which row is taken from which state only a walk can show: the last test goes through all of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi import backend
from fastwsgi.http import states
from fastwsgi.http.states import CLOSED, HEAD, LINGERING, PLACES, STATES, follows, moves
from tests.helpers.memory import Bench, Client
from tests.helpers.site_app import CHUNKED, GET, POST, Site, statuses

SOURCES = sorted(Path(states.__file__).parent.glob("*.py"))
TABLES = {"become": STATES, "move": PLACES}
REFUSED = -4  # what a transport says that ends the connection by itself

# The tables


@pytest.mark.parametrize("table", [STATES, PLACES], ids=["states", "places"])
def test_every_successor_is_in_the_table(table: dict[str, dict[str, str]]) -> None:
    assert {successor for row in table.values() for successor in row.values()} <= table.keys()


def test_every_state_is_reached_from_the_first() -> None:
    assert reachable(STATES, HEAD) == STATES.keys() - {CLOSED}
    assert reachable(PLACES, states.LOOP) == PLACES.keys()


def reachable(table: dict[str, dict[str, str]], start: str) -> set[str]:
    """Where the events lead from *start*, by any number of steps."""
    found, new = {start}, {start}
    while new:
        new = {successor for one in new for successor in table[one].values()} - found
        found |= new
    return found


def test_every_state_can_be_left() -> None:
    assert [state for state, row in STATES.items() if not row] == [LINGERING, CLOSED]
    assert [state for state in STATES if follows(state, "close", CLOSED)] == [*STATES][:-1]
    assert all(set(row.values()) - {place} for place, row in PLACES.items())


def test_a_name_is_a_state_or_a_place_and_stands_for_one() -> None:
    constants = {value for name, value in vars(states).items() if name.isupper() and isinstance(value, str)}
    assert constants == STATES.keys() | PLACES.keys()
    assert not STATES.keys() & PLACES.keys()


def test_the_docstring_tells_each_state_and_each_place_once() -> None:
    first_column = re.findall(r"^    (\w+) {2,}\S", states.__doc__ or "", re.MULTILINE)
    assert first_column == ["state", *STATES, *PLACES]


def test_nothing_leads_where_the_table_does_not() -> None:
    for table, leads in ((STATES, follows), (PLACES, moves)):
        for start, row in table.items():
            for event in {event for others in table.values() for event in others}:
                due = {row[event]} if event in row else set()
                assert {to for to in table if leads(start, event, to)} == due


# The sources


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """All functions and methods of a source."""
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def calls(name: str) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    """Each call of a method of that name in http/, with or without an underscore, and the function that it is in."""
    for path in SOURCES:
        for function in functions(path):
            for node in ast.walk(function):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr.lstrip("_") == name.lstrip("_"):
                    assert isinstance(node, ast.Call)
                    yield function, node


def values(node: ast.expr, function: ast.FunctionDef) -> set[str]:
    """The texts that an argument may be: a literal, a constant, one of two, or what the callers hand in."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return values(node.body, function) | values(node.orelse, function)
    assert isinstance(node, ast.Name), f"{function.name}: {ast.unparse(node)} cannot be read from the text"
    if node.id in vars(states):
        return {getattr(states, node.id)}
    parameters = [one.arg for one in function.args.args if one.arg != "self"]
    assert node.id in parameters, f"{function.name}: {node.id} is neither a state nor a parameter"
    handed_in = [values(call.args[parameters.index(node.id)], where) for where, call in calls(function.name)]
    assert handed_in, f"nobody calls {function.name}"
    return set().union(*handed_in)


def steps(method: str) -> set[tuple[str, str]]:
    """Each event and successor with which the sources call *method*."""
    found = set()
    for function, call in calls(method):
        events, successors = (values(argument, function) for argument in call.args)
        assert len(events) == 1 or len(successors) == 1, f"{function.name}: which event leads to which?"
        found |= {(event, successor) for event in events for successor in successors}
    return found


@pytest.mark.parametrize("method", TABLES)
def test_the_sources_take_the_steps_of_the_table_and_each_of_them(method: str) -> None:
    rows = {(event, successor) for row in TABLES[method].values() for event, successor in row.items()}
    by_close = {("close", CLOSED)} if method == "become" else set()
    assert steps(method) == rows | by_close


@pytest.mark.parametrize("attribute", ["state", "place"])
def test_the_state_is_set_at_the_beginning_and_by_steps_alone(attribute: str) -> None:
    """Else a step could go unseen."""
    setters = set()
    for path in SOURCES:
        for function in functions(path):
            for node in ast.walk(function):
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                if any(isinstance(one, ast.Attribute) and one.attr == attribute for one in targets):
                    setters.add((path.stem, function.name.lstrip("_")))
    step = {"state": "become", "place": "move"}[attribute]
    assert setters == {("connection", "init__"), ("connection", step)}


# The pure build


@pytest.fixture
def pure() -> Bench:
    return Bench(backend.build("py"), Site())


@pytest.mark.parametrize(
    ("event", "successor"),
    [("sent", states.IDLE), ("call", states.IDLE), ("no such event", states.RUNNING), ("pause", states.SENDING)],
)
def test_a_step_that_the_table_does_not_have_is_an_error(pure: Bench, event: str, successor: str) -> None:
    connection = pure.connect().connection
    with pytest.raises(AssertionError, match=f"'{event}' does not lead from head to {successor}"):
        connection._become(event, successor)
    assert connection.state == HEAD


def test_a_move_that_the_table_does_not_have_is_an_error(pure: Bench) -> None:
    connection = pure.connect().connection
    with pytest.raises(AssertionError, match="'its turn' does not lead from loop to loop"):
        connection._move("its turn", states.LOOP)
    assert connection.place == states.LOOP


def test_a_closed_connection_is_not_closed_again(pure: Bench) -> None:
    connection = pure.connect(b"GET / HTTP/1.0\r\n\r\n").connection
    with pytest.raises(AssertionError, match="'close' does not lead from closed to closed"):
        connection._become("close", CLOSED)


def test_only_closed_is_closed(pure: Bench) -> None:
    connection = pure.connect(b"GET / HTTP/1.1").connection
    with pytest.raises(AssertionError, match="'close' does not lead from head to idle"):
        connection._become("close", states.IDLE)


def test_a_planted_wrong_step_is_found(pure: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that ends the connection, taken for one that does not."""
    kind = pure.build.connection.Connection
    become = kind._become
    monkeypatch.setattr(
        kind, "_become", lambda self, event, state: become(self, event, states.IDLE if event == "last" else state)
    )
    with pytest.raises(AssertionError, match="'last' does not lead from running to idle"):
        pure.connect(b"GET / HTTP/1.0\r\n\r\n")


# A walk


class Walk:
    """Connections of the pure build in every situation; *taken* are the steps that they take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = Site()
        self.bench = Bench(backend.build("py"), self.site)
        self.taken: set[tuple[str, str]] = set()  # where from, and the event
        self.queued: list[Any] = []
        self.bench.service.pool = SimpleNamespace(
            has_room=lambda: True, queue=self.queued.append, await_taker=lambda: None, await_watchdog=lambda: None
        )
        for method in ("_become", "_move"):
            self._note(method, monkeypatch)

    def _note(self, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        kind = self.bench.build.connection.Connection
        step: Callable[..., None] = getattr(kind, method)
        before = {"_become": "state", "_move": "place"}[method]

        def noting(connection: Any, event: str, successor: str) -> None:
            self.taken.add((getattr(connection, before), event))
            step(connection, event, successor)

        monkeypatch.setattr(kind, method, noting)

    def idle(self, capacity: int | None = None) -> Client:
        """A client whose first request was answered."""
        client = self.bench.connect(GET % b"/", capacity=10**6 if capacity is not None else None)
        client.capacity = capacity
        assert client.connection.state == states.IDLE
        return client

    def clients(self) -> Iterator[Client]:
        """A new client, and an idle one."""
        yield self.bench.connect()
        yield self.idle()

    def of_requests(self) -> None:
        for client in self.clients():
            client.send(b"GET / ", (GET % b"/")[6:])
            client.send(POST % 2, b"xx", POST % 1 + b"x")
        for client in self.clients():
            client.send(b"GET\r\n\r\n")
        self.bench.connect(CHUNKED + b"1\r\n", capacity=None).send(b"bad\r\n")

    def of_slow_readers(self) -> None:
        client = self.idle(capacity=10)
        client.send(GET % b"/")
        client.read(1000)
        client = self.idle(capacity=10)
        client.send(GET % b"/" + b"GET ")  # a head has begun when its answer is blocked
        client.read(1000)
        client = self.bench.connect(GET % b"/stream", capacity=1000)
        client.read(10**6)
        client = self.bench.connect(POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5, capacity=10)
        client.read(100)
        client = self.bench.connect(b"GET / HTTP/1.0\r\n\r\n" + GET % b"/", capacity=10)
        client.read(1000)

    def of_the_queue(self) -> None:
        waiting = [*self.clients(), self.bench.connect(POST % 1)]
        self.bench.service.full = True
        for client, request in zip(waiting, [GET % b"/" + GET % b"/", GET % b"/", b"x"]):
            client.send(request)
            assert client.connection.state == states.QUEUED
        self.bench.service.full = False
        gone = self.queued.pop()
        gone.drop(False)
        for connection in self.queued:
            connection.run_alone()
        self.bench.settle()
        assert statuses(waiting[0]) == [200, 200]

    def of_transports(self) -> None:
        for client in (*self.clients(), self.bench.connect(POST % 1)):
            receive = self.bench.wire.receive
            self.bench.wire.receive = lambda *_: REFUSED
            client.connection.on_ready()
            self.bench.wire.receive = receive
            assert client.connection.state == LINGERING

    def of_ends(self) -> None:
        """In every state the client leaves."""
        stalled = self.bench.connect(GET % b"/big", capacity=10)
        gathered = self.bench.connect(GET % b"/", capacity=10)
        ending = self.bench.connect(b"GET /big HTTP/1.0\r\n\r\n", capacity=10)
        interim = self.bench.connect(POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5, capacity=10)
        lingering = self.bench.connect(b"GET\r\n\r\n")
        body = self.bench.connect(POST % 5)
        for client in (stalled, gathered, ending, interim, lingering, body, *self.clients()):
            client.vanish()
        leaving = self.bench.connect()
        self.site.on_vanish = lambda: setattr(leaving, "gone", True)
        leaving.send(GET % b"/vanish" + GET % b"/stream")

    def of_a_stop(self) -> None:
        """It begins behind the head of a response, and beside a client that has said nothing."""
        answered, silent = self.idle(), self.bench.connect()
        self.bench.service.keep_alive = 0.0
        self.site.pieces = (b"x" if number else self.begin_to_drain() for number in (1, 0))
        answered.send(GET % b"/stream")
        silent.send(b"\r\n")
        assert not answered.is_open
        assert not silent.is_open

    def begin_to_drain(self) -> bytes:
        self.bench.service.draining = True
        return b""


def test_a_walk_takes_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Walk(monkeypatch)
    for name in [name for name in vars(Walk) if name.startswith("of_")]:
        getattr(walk, name)()
    rows = {(start, event) for table in TABLES.values() for start, row in table.items() for event in row}
    ends = {(state, "close") for state in STATES if state != CLOSED}
    assert (rows | ends) - walk.taken == set()
