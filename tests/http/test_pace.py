"""The account of a client, without a connection: what is due of it, and when its bytes move too slowly.

Much of a Pace of the compiled build is C alone, out of the reach of Python: await_head, await_request, await_close,
begin_body, go_on_with_body, begin_response and note_sent. These are called here in the pure build; the compiled one
runs the same text, and how connections of both use it is in test_deadlines.py and test_slow_clients.py.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.http.pace import GRACE, SPARED
from tests.helpers.memory import Bench

HEADER, BODY, WRITE, IDLE, LINGER = 11.0, 13.0, 17.0, 19.0, 23.0  # seconds, each another time
RATE = 100  # bytes a second


def bench_of(build: SimpleNamespace) -> Bench:
    settings: dict[str, Any] = {"header_timeout": HEADER, "body_timeout": BODY, "write_timeout": WRITE}
    settings.update(keep_alive=IDLE, linger_timeout=LINGER, min_rate=RATE)
    return Bench(build, lambda environ, start_response: [], **settings)


class Account:
    """A Pace and its clock, which begins at 0: *pace* is that of a client that connects then."""

    def __init__(self, build: SimpleNamespace) -> None:
        self.bench = bench_of(build)
        self.begin = self.bench.loop.clock
        self.pace = build.pace.Pace(self.bench.service)

    @property
    def now(self) -> float:
        return self.bench.loop.clock

    def wait(self, seconds: float, turn_begins: bool = True) -> None:
        """Time passes; connections see it when a turn begins, or when they ask for it."""
        self.bench.pass_clock(seconds)
        if turn_begins:
            self.bench.loop.renew_time(self.bench.service)

    def due(self) -> float:
        """Seconds until the deadline."""
        return float(self.pace.left(self.now))


@pytest.fixture
def either(build: SimpleNamespace) -> Account:
    """Of both builds, for what Python can reach."""
    return Account(build)


@pytest.fixture
def pure() -> Account:
    return Account(backend.build("py"))


# What is due


def test_of_a_new_client_a_head_is_due(either: Account) -> None:
    assert either.due() == HEADER
    either.wait(HEADER + 1)
    assert either.due() == -1.0
    assert not either.pace.blocked
    assert either.pace.moved == 0


def test_the_deadline_of_each_kind(pure: Account) -> None:
    for due, allowed in (
        (pure.pace.await_head, HEADER),
        (pure.pace.await_request, IDLE),
        (pure.pace.await_close, LINGER),
        (lambda: pure.pace.begin_body(0), BODY),
        (pure.pace.go_on_with_body, BODY),
    ):
        pure.wait(5.0)
        due()
        assert pure.due() == allowed
        assert pure.pace.began(allowed) == pure.now


def test_a_head_and_a_body_begin_now_and_not_when_the_turn_did(pure: Account) -> None:
    """An application may have run for long before they came into sight."""
    pure.wait(40.0, turn_begins=False)
    pure.pace.await_head()
    assert pure.due() == HEADER
    pure.wait(40.0, turn_begins=False)
    pure.pace.begin_body(10)
    assert pure.due() == BODY
    assert not pure.pace.sends_too_slowly(pure.now)


def test_an_idle_client_pays_nothing_for_the_clock(pure: Account) -> None:
    pure.wait(4.0, turn_begins=False)
    pure.pace.await_request()
    assert pure.due() == IDLE - 4.0


def test_who_lingers_begins_to_count_anew(pure: Account) -> None:
    pure.pace.moved = 10**6
    pure.pace.await_close()
    assert pure.pace.moved == 0


def test_an_excuse_is_more_time(either: Account) -> None:
    either.pace.excuse(7.5)
    assert either.due() == HEADER + 7.5


def test_a_hurry_is_never_more_time(either: Account) -> None:
    either.pace.hurry(either.now + 3.0)
    assert either.due() == 3.0
    either.pace.hurry(either.now + 100.0)
    assert either.due() == 3.0


def test_a_new_client_is_spared_a_second(either: Account) -> None:
    """Before it is thought to be idle: its first request may be on its way."""
    assert either.pace.silent_since() == either.begin + SPARED
    either.wait(5.0)
    assert either.pace.silent_since() == either.begin + SPARED


def test_began_is_what_the_deadline_was_counted_from(either: Account) -> None:
    either.wait(5.0)
    assert either.pace.began(HEADER) == either.begin


# A request body


def test_a_body_is_too_slow_at_its_deadline(pure: Account) -> None:
    pure.pace.begin_body(10**6)
    pure.wait(BODY - 0.1)
    assert not pure.pace.sends_too_slowly(pure.now)
    pure.wait(0.1)
    assert pure.pace.sends_too_slowly(pure.now)


def test_each_piece_of_a_body_puts_the_deadline_off(pure: Account) -> None:
    pure.pace.begin_body(10**6)
    for _ in range(10):
        pure.wait(BODY - 1)
        pure.pace.go_on_with_body()
        assert not pure.pace.sends_too_slowly(pure.now)


def feed(account: Account, rate: int, seconds: int) -> list[bool]:
    """Of each second of a body of that *rate* in bytes a second, whether it is too slow."""
    account.pace.begin_body(0)
    found = []
    for _ in range(seconds):
        account.wait(1.0)
        account.pace.moved += rate
        account.pace.go_on_with_body()
        found.append(bool(account.pace.sends_too_slowly(account.now)))
    return found


def test_a_body_below_the_floor_is_too_slow_after_the_grace(pure: Account) -> None:
    assert feed(pure, RATE - 1, 40) == [False] * int(GRACE) + [True] * 10


def test_a_body_at_the_floor_is_not(pure: Account) -> None:
    assert not any(feed(pure, RATE, 100))


def test_what_came_with_the_head_counts(pure: Account) -> None:
    pure.pace.begin_body(RATE * 40)
    pure.wait(39.0)
    pure.pace.go_on_with_body()
    assert not pure.pace.sends_too_slowly(pure.now)
    pure.wait(2.0)
    assert pure.pace.sends_too_slowly(pure.now)


def test_without_a_floor_the_deadline_is_all(pure: Account) -> None:
    pure.bench.service.min_rate = 0.0
    assert not any(feed(pure, 1, 100))


def test_through_a_connection_a_body_is_judged_alike(build: SimpleNamespace) -> None:
    """The floor of the compiled build, seen from outside."""
    bench = bench_of(build)
    client = bench.connect(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(int(GRACE)):
        bench.pass_time(1.0)
        client.send(b"x" * (RATE - 1))
    assert client.received == b""
    bench.pass_time(1.0)
    assert client.responses()[0].status == 408


# A response


def send(account: Account, count: int, blocked: bool, unsent: int = 0) -> None:
    """The socket takes *count* bytes of a response."""
    account.pace.moved += count
    account.pace.note_sent(count, blocked, unsent)


def test_a_client_that_takes_nothing_is_too_slow_at_the_deadline(pure: Account) -> None:
    pure.pace.begin_response()
    send(pure, 10**6, blocked=True)
    assert pure.due() == WRITE
    pure.wait(WRITE - 0.1)
    assert not pure.pace.reads_too_slowly(pure.now, 0)
    pure.wait(0.1)
    assert pure.pace.reads_too_slowly(pure.now, 0)


def test_what_the_socket_takes_puts_the_deadline_off(pure: Account) -> None:
    pure.pace.begin_response()
    send(pure, 10**6, blocked=True)
    for count in (1, 0):
        pure.wait(10.0)
        send(pure, count, blocked=True)
    assert pure.due() == WRITE - 10.0  # it took nothing the last time


def test_what_the_client_acknowledges_puts_the_deadline_off(pure: Account) -> None:
    """The socket takes nothing more until much of its queue was read."""
    pure.pace.begin_response()
    send(pure, 10**6, blocked=True, unsent=10**6)
    for acknowledged in range(2000, 20000, 2000):
        pure.wait(10.0)
        assert not pure.pace.reads_too_slowly(pure.now, 10**6 - acknowledged)
        assert pure.due() == WRITE


def test_the_clock_is_asked_when_the_socket_is_full(pure: Account) -> None:
    """The application may have worked for long on what fills it."""
    pure.pace.begin_response()
    pure.wait(100.0, turn_begins=False)
    send(pure, 10, blocked=True)
    assert pure.due() == WRITE
    pure.wait(GRACE - 15, turn_begins=False)
    assert not pure.pace.reads_too_slowly(pure.now, 0)


def read_on(account: Account, rate: int, seconds: int) -> list[bool]:
    """Of each second in which the client acknowledges *rate* bytes, whether it reads too slowly."""
    account.pace.begin_response()
    total = 10**6
    send(account, total, blocked=True, unsent=total)
    found = []
    for second in range(seconds):
        account.wait(1.0)
        found.append(bool(account.pace.reads_too_slowly(account.now, total - rate * (second + 1))))
    return found


def test_a_client_below_the_floor_is_too_slow_after_the_grace(pure: Account) -> None:
    assert read_on(pure, RATE - 1, 40) == [False] * int(GRACE) + [True] * 10


def test_a_client_at_the_floor_is_not(pure: Account) -> None:
    assert not any(read_on(pure, RATE, 100))


def test_only_the_time_counts_in_which_it_could_read(pure: Account) -> None:
    """The application's time, between the pieces that it takes at once, is not the client's."""
    pure.pace.begin_response()
    taken = 0
    for _ in range(10):
        send(pure, RATE, blocked=True)
        pure.wait(1.0)
        taken += RATE
        assert not pure.pace.reads_too_slowly(pure.now, 0)
        send(pure, 1, blocked=False)
        assert not pure.pace.blocked
        pure.wait(60.0)  # nothing is to be read
    send(pure, 1, blocked=True, unsent=1)
    assert pure.pace.since == pure.now - 10.0
    pure.wait(15.0)
    pure.pace.note_read(pure.now, 1, WRITE)
    assert not pure.pace.reads_too_slowly(pure.now, 1)


def test_the_time_of_one_response_is_not_that_of_the_next(pure: Account) -> None:
    pure.pace.begin_response()
    send(pure, 10, blocked=True)
    pure.wait(25.0)
    send(pure, 10, blocked=False)
    assert pure.pace.waited == 25.0
    pure.pace.begin_response()
    assert (pure.pace.waited, pure.pace.moved) == (0.0, 0)
    send(pure, 10, blocked=True)
    assert pure.pace.since == pure.now


# What the client is known to have


def test_a_look_at_what_was_read(either: Account) -> None:
    pace = either.pace
    pace.moved = 1000
    assert not pace.note_read(either.now, 0, 5.0)  # nobody knows, or all is read
    assert not pace.note_read(either.now, 1000, 5.0)
    assert either.due() == HEADER
    either.wait(2.0)
    assert pace.note_read(either.now, 900, 5.0)
    assert either.due() == 5.0
    either.wait(1.0)
    assert not pace.note_read(either.now, 900, 5.0)  # no more than the last time
    assert either.due() == 4.0
    assert pace.note_read(either.now, 899, 5.0)


def test_a_look_at_a_part_that_the_transport_does_not_count_yet(either: Account) -> None:
    """Then less than nothing is unsent: the client has more than was counted."""
    either.pace.moved = 1000
    assert either.pace.note_read(either.now, -20, 5.0)
    assert not either.pace.note_read(either.now, 10, 5.0)


@pytest.mark.parametrize("unsent", [0, 1000, 999])
def test_reading_too_slowly_by_the_deadline(either: Account, unsent: int) -> None:
    either.bench.service.min_rate = 0.0
    either.pace.moved = 1000
    either.wait(HEADER)
    assert either.pace.reads_too_slowly(either.now, unsent) == (unsent != 999)  # a byte that was read just now
