"""Connections as a state machine: hypothesis sends, reads, waits and leaves in any order, beside a simple model.

The model (conversations.py) is a list of requests, each of which has one response due. Clients share a loop, so that
what one does must not show at another. The long form of this is ci/stateful.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fastwsgi import backend
from fastwsgi.http.connection import READ
from fastwsgi.http.states import CLOSED, IDLE
from tests.conftest import without_compiled
from tests.helpers.conversations import ANSWERS, BROKEN, FORMS, Account, Answers
from tests.helpers.memory import Bench

CLIENTS = 3  # at a time
SOON = 0.5  # seconds: less than any deadline, also ten times
LONG = 100.0  # more than any
ENOUGH = 3000  # short conversations, in which each of FAULTS is found; the rarest shows itself once in some 400
QUICK = settings(max_examples=40, stateful_step_count=40)

sizes = st.one_of(st.just(10**6), st.integers(1, 30), st.integers(1, 300))
clients = st.integers(0, CLIENTS - 1)
forms, answers = st.sampled_from(list(FORMS)), st.sampled_from(list(ANSWERS))


class Conversations(RuleBasedStateMachine):
    """Some clients and their server."""

    build_name: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.app = Answers()
        self.bench = Bench(backend.build(self.build_name), self.app, spool_size=20)
        self.accounts: list[Account] = []
        self.active: list[Account] = []
        self.ticks = 0

    def account(self, number: int) -> Account:
        """One of the clients; a new one takes the place of one that is done with."""
        while len(self.active) <= number:
            self.active.append(self.connect(None))
        if self.active[number].client.closed:
            self.active[number] = self.connect(None)
        return self.active[number]

    def connect(self, capacity: int | None) -> Account:
        self.accounts.append(Account(self.bench.connect(capacity=capacity), len(self.accounts)))
        return self.accounts[-1]

    @rule(number=clients, form=forms, answer=answers, size=sizes)
    def request(self, number: int, form: str, answer: str, size: int) -> None:
        account = self.account(number)
        if not account.ended:
            account.add(form, answer)
            account.send(size)

    @rule(number=clients, answer=answers, room=st.integers(0, 300))
    def request_and_stall(self, number: int, answer: str, room: int) -> None:
        self.stop_reading(number, room)
        self.request(number, "get", answer, 10**6)

    @rule(number=clients, form=st.sampled_from(list(BROKEN)), size=sizes)
    def broken(self, number: int, form: str, size: int) -> None:
        account = self.account(number)
        if not account.ended:
            account.add(form, "list")
            account.send(size)

    @rule(number=clients, count=st.integers(2, 100))
    def pipeline(self, number: int, count: int) -> None:
        account = self.account(number)
        if not account.ended:
            for _ in range(count):
                account.add("get", "list")
            account.send(10**6)

    @rule(number=clients, size=sizes)
    def send(self, number: int, size: int) -> None:
        account = self.account(number)
        if not account.ended:
            account.send(size)

    @rule(number=clients)
    def end(self, number: int) -> None:
        account = self.account(number)
        account.ended = True
        account.client.end()

    @rule(number=clients)
    def vanish(self, number: int) -> None:
        account = self.account(number)
        account.gone = True
        account.client.vanish()

    @rule(number=clients, room=st.integers(0, 2000))
    def stop_reading(self, number: int, room: int) -> None:
        account = self.account(number)
        if account.is_reading():
            account.client.capacity = room

    @rule(number=clients, count=st.integers(1, 50000))
    def read(self, number: int, count: int) -> None:
        account = self.account(number)
        if not account.is_reading():
            account.client.read(count)

    @rule(number=clients)
    def read_on(self, number: int) -> None:
        account = self.account(number)
        account.client.capacity = None
        self.bench.settle()

    @precondition(lambda self: self.ticks < 10)
    @rule()
    def wait(self) -> None:
        self.ticks += 1
        self.bench.pass_time(SOON)

    @rule()
    def wait_for_long(self) -> None:
        """Every deadline passes: nobody stays, whatever he was about."""
        stalled = [one for one in self.active if not one.is_reading() and not one.client.closed]
        sending = [one for one in stalled if one.client.is_awaited]
        for account in self.active:
            account.late = account.late or account.client.is_open
        for _ in range(3):  # the response, what is behind it, lingering
            self.bench.pass_time(LONG)
        self.ticks = 0
        assert all(account.client.closed for account in self.accounts)
        assert all(account.client.reset for account in sending)
        for account in stalled:
            account.gone = True  # what it has may not be whole

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        for account in self.active:
            account.check_calls(self.app.called)
            account.check_responses()
        assert all(pieces.closed <= 1 for pieces in self.app.made)
        charged = [account.client.connection.charged for account in self.accounts]
        assert sum(charged) == self.bench.service.holdings.held
        assert not any(one for one, account in zip(charged, self.accounts) if account.client.closed)

    def teardown(self) -> None:
        for account in self.accounts:
            account.client.capacity = None
        self.bench.settle()
        self.all_is_as_the_model_says()
        for account in self.accounts:
            if not account.client.closed:
                account.gone = True
                account.client.vanish()
        assert all(account.client.closed for account in self.accounts)
        assert [pieces.closed for pieces in self.app.made] == [1] * len(self.app.made)
        assert self.bench.loop.watched == {}
        assert (self.bench.service.holdings.held, self.bench.service.disk.used) == (0, 0)
        assert len(self.bench.loop.forgotten) == len(self.accounts)


def machine(build_name: str) -> Any:
    """The state machine of a build."""
    return type(f"Conversations_{build_name}", (Conversations,), {"build_name": build_name})


@pytest.mark.timeout(300)  # a failure is made small, which takes its time
@pytest.mark.parametrize("name", ["c", "py"])
def test_any_order_of_events(name: str) -> None:
    if name == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    run_state_machine_as_test(machine(name), settings=QUICK)  # type: ignore[no-untyped-call]


def step_wrongly(connection: Any, event: str, state: str) -> None:
    """A response that waits for its client is taken for one that is whole."""
    take_step(connection, event, IDLE if event == "pause" else state)


def settle_while_open(connection: Any) -> None:
    if connection.state != CLOSED:
        settle(connection)


settle = backend.build("py").connection.Connection.settle
take_step = backend.build("py").connection.Connection._become
FAULTS = {
    "a client that left closes nothing": ("exchange", "Exchange", "abandon", lambda self: None),
    "no deadline is met": ("connection", "Connection", "on_deadline", lambda self: False),
    "a cut response loses what is before it": ("connection", "Connection", "_cut", lambda self, _: self.drop(False)),
    "a body is read from its end": ("body", "Body", "rewind", lambda self: self.file),
    "a step that no table has": ("connection", "Connection", "_become", step_wrongly),
    "what a client that left held stays charged": ("connection", "Connection", "settle", settle_while_open),
    "what follows a last request is served": ("connection", "Connection", "_linger", lambda self, _: self._wait(READ)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, owner, name, replacement = FAULTS[fault]
    monkeypatch.setattr(getattr(getattr(backend.build("py"), module), owner), name, replacement)
    roughly = settings(
        QUICK,
        phases=[Phase.generate],
        max_examples=ENOUGH,
        stateful_step_count=15,  # the rarest is found four times sooner than in 40
        report_multiple_bugs=False,  # the first will do
        print_blob=False,
        derandomize=True,
    )
    with pytest.raises((AssertionError, AttributeError, ValueError)):  # whatever the broken connection stumbles over
        run_state_machine_as_test(machine("py"), settings=roughly)  # type: ignore[no-untyped-call]
