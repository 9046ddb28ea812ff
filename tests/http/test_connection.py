"""One connection: its states, whose turn it is, whose buffer it writes to, clients slow to read, and refusals.

How much a client has room for is the test's (capacity, client.read). What is about time is in test_deadlines.py.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.memory import Bench
from tests.helpers.site_app import BIG, CHUNKED, GET, POST, Site, bodies, statuses

# States


def test_states_of_a_request(bench: Bench) -> None:
    client = bench.connect()
    states = [client.connection.state]
    for piece in (b"\r\n", b"POST / HTTP/1.1\r\nHost: h\r\n", b"Content-Length: 2\r\n\r\n", b"a", b"b"):
        client.send(piece)
        states.append(client.connection.state)
    assert states == ["head", "head", "head", "body", "body", "idle"]
    assert client.connection.waits == "read"


def test_a_request_that_came_with_the_connection_is_answered_at_once(bench: Bench) -> None:
    client = bench.connect(GET % b"/now")
    assert bodies(client) == [b"/now "]


def test_an_accepted_connection_that_closes_was_never_watched(bench: Bench) -> None:
    client = bench.connect(b"GET / HTTP/1.0\r\n\r\n")
    assert client.closed
    assert client.connection.waits == ""


def test_a_connection_is_idle_while_no_request_is_under_way(bench: Bench) -> None:
    client = bench.connect()
    idle = [client.connection.is_idle()]
    for piece in (b"G", (GET % b"/")[1:], b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", b"x"):
        client.send(piece)
        idle.append(client.connection.is_idle())
    assert idle == [True, False, True, False, True]


def templates(others: Iterable[object] = ()) -> list[object]:
    """The templates for environs that connections have, without *others*."""
    name_of = type.__dict__["__name__"].__get__  # of any class, whatever its own class makes of the name
    known = set(map(id, others))
    return [one for one in gc.get_objects() if name_of(type(one)) == "Template" and id(one) not in known]


def test_a_busy_connection_has_a_template_until_a_look_finds_it_idle(bench: Bench) -> None:
    others = templates()  # of other tests, kept until the end of this one
    client = bench.connect(GET % b"/")
    assert not templates(others)  # it may have come for one request
    client.send(GET % b"/")
    assert not client.connection.is_late(bench.service.now)
    client.send(POST % 2)
    assert not client.connection.look(bench.service.now)  # amid a request
    assert len(templates(others)) == 1
    client.send(b"ab")
    assert not client.connection.look(bench.service.now)
    assert not templates(others)


def test_a_client_that_closes_between_requests_ends_the_connection(bench: Bench) -> None:
    client = bench.connect(GET % b"/")
    client.end()
    assert client.closed
    assert bench.loop.forgotten == [client.connection]


def test_a_client_that_closes_without_a_word_gets_none(bench: Bench) -> None:
    client = bench.connect()
    client.end()
    assert client.closed
    assert client.received == b""


@pytest.mark.parametrize("sent", [b"", b"GET", GET % b"/", POST % 9 + b"x", b"bad\r\n\r\n"])
def test_a_client_that_resets_ends_the_connection_in_any_state(bench: Bench, sent: bytes) -> None:
    client = bench.connect(sent)
    client.vanish()
    assert client.closed
    assert client.connection.state == "closed"
    assert bench.loop.watched == {}


def test_a_draining_server_closes_after_the_answer(bench: Bench) -> None:
    client = bench.connect()
    bench.service.draining = True
    client.send(GET % b"/a" + GET % b"/b")
    assert bodies(client) == [b"/a "]
    assert client.responses()[0].field("Connection") == "close"
    assert not client.is_open


# Pipelining and turns


def test_answers_of_one_read_leave_in_one_write(bench: Bench) -> None:
    client = bench.connect(b"".join(GET % b"/%d" % number for number in range(50)))
    assert bodies(client) == [b"/%d " % number for number in range(50)]
    assert client.writes == 1


def test_gathered_answers_are_bounded(bench: Bench) -> None:
    client = bench.connect((POST % 20000 + b"x" * 20000) * 20)
    assert bodies(client) == [b"/post " + b"x" * 20000] * 20
    assert 4 < client.writes < 20


def test_pipelined_requests_leave_others_their_turn(bench: Bench, site: Site) -> None:
    greedy, modest = bench.connect(), bench.connect()
    greedy.incoming.append(GET % b"/greedy" * 200)
    modest.incoming.append(GET % b"/modest")
    bench.settle()
    assert site.asked.index("/modest") == 64
    assert len(bodies(greedy)) == 200


def test_small_chunks_leave_others_their_turn(bench: Bench) -> None:
    many, other = bench.connect(), bench.connect()
    many.incoming.append(CHUNKED + b"1\r\nx\r\n" * 9000 + b"0\r\nX: trailer\r\n\r\n" + GET % b"/next")
    other.incoming.append(GET % b"/")
    bench.step()
    assert (statuses(many), bodies(other)) == ([], [b"/ "])
    bench.settle()
    assert bodies(many) == [b"/chunked " + b"x" * 9000, b"/next "]


def test_more_requests_than_one_read_brings(bench: Bench) -> None:
    many = 3000
    client = bench.connect(b"".join(GET % b"/%d" % number for number in range(many)))
    assert bodies(client) == [b"/%d " % number for number in range(many)]


def test_a_stream_leaves_others_their_turn(bench: Bench, site: Site) -> None:
    site.pieces = (b"x" for _ in range(1000))
    streaming, modest = bench.connect(), bench.connect()
    streaming.incoming.append(GET % b"/stream")
    modest.incoming.append(GET % b"/modest")
    bench.step()
    assert site.asked == ["/stream", "/modest"]
    assert site.given == 128  # a turn, and another behind the events of this round
    bench.settle()
    assert bodies(streaming) == [b"x" * 1000]


def test_each_piece_of_a_stream_is_sent_before_the_next_is_asked_for(bench: Bench, site: Site) -> None:
    client = bench.connect()
    sent_before: list[int] = []
    site.pieces = (sent_before.append(client.received.count(b"piece")) or b"piece" for _ in range(5))
    client.send(GET % b"/stream")
    assert sent_before == [0, 1, 2, 3, 4]


# Buffers that connections lend each other


def test_an_answer_never_goes_to_another_client(bench: Bench) -> None:
    """While one waits for its body, another may take the shared out-buffer along."""
    first = bench.connect(POST % 6 + b"sec")
    slow = bench.connect(GET % b"/big", capacity=100)
    first.send(b"ret")
    slow.read(10**6)
    assert bodies(first) == [b"/post secret"]
    assert bodies(slow) == [BIG]


def test_a_body_after_a_100_that_was_slow_to_leave(bench: Bench) -> None:
    head = POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5
    client = bench.connect(head, capacity=10)
    assert client.connection.state == "interim"
    other = bench.connect(GET % b"/other")
    client.read(10**6)
    assert client.connection.state == "body"
    client.send(b"hello")
    assert statuses(client) == [100, 200]
    assert bodies(other) == [b"/other "]


def test_many_slow_readers_get_their_own_answers(bench: Bench) -> None:
    clients = [bench.connect(POST % 30000 + b"%05d" % number * 6000, capacity=number) for number in range(20)]
    for _ in range(40):
        for client in clients:
            client.read(1000)
    for number, client in enumerate(clients):
        assert bodies(client) == [b"/post " + b"%05d" % number * 6000]
        assert client.connection.state == "idle"


def test_a_dropped_connection_leaves_a_clean_buffer(bench: Bench) -> None:
    slow = bench.connect(GET % b"/big", capacity=100)
    slow.vanish()
    assert bodies(bench.connect(GET % b"/next")) == [b"/next "]


def test_answers_to_a_client_that_vanished_are_not_left_to_the_next(bench: Bench, site: Site) -> None:
    client = bench.connect()
    site.pieces = [b"x"]
    client.incoming.append(GET % b"/a" + GET % b"/vanish")
    site.on_vanish = lambda: setattr(client, "gone", True)
    bench.settle()
    assert (client.closed, client.received) == (True, b"")
    assert bodies(bench.connect(GET % b"/next")) == [b"/next "]


# Clients slow to read


def test_a_slow_reader_gets_all_of_it(bench: Bench) -> None:
    client = bench.connect(GET % b"/big", capacity=1000)
    assert (client.connection.state, client.connection.waits) == ("sending", "write")
    while client.connection.state == "sending":
        client.read(50000)
    assert bodies(client) == [BIG]
    client.send(GET % b"/again")
    assert bodies(client) == [BIG, b"/again "]


def test_a_stream_is_asked_for_no_more_than_the_client_takes(bench: Bench, site: Site) -> None:
    site.pieces = [b"x" * 1000] * 50
    client = bench.connect(GET % b"/stream", capacity=5000)
    assert site.given == 5
    client.read(5000)
    assert site.given == 10
    client.read(10**6)
    assert bodies(client) == [b"x" * 50000]
    assert site.closed == 1


def test_requests_behind_a_blocked_answer_wait(bench: Bench, site: Site) -> None:
    client = bench.connect(GET % b"/big" + GET % b"/a", capacity=100)
    client.send(GET % b"/b")
    assert site.asked == ["/big"]
    assert list(client.incoming) == [GET % b"/b"]
    client.read(10**6)
    assert bodies(client) == [BIG, b"/a ", b"/b "]


def test_a_half_closed_slow_reader_gets_all_of_it(bench: Bench) -> None:
    client = bench.connect(GET % b"/big", capacity=100)
    client.end()
    client.read(10**6)
    assert bodies(client) == [BIG]
    assert client.closed


def test_a_slow_reader_of_a_last_answer_gets_all_of_it(bench: Bench) -> None:
    client = bench.connect(b"GET /big HTTP/1.0\r\n\r\n", capacity=100)
    client.read(10**6)
    assert bodies(client) == [BIG]
    assert not client.is_open
    assert not client.reset


def test_a_slow_reader_of_a_file(build: SimpleNamespace, tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(BIG)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    client = Bench(build, app).connect(GET % b"/file" * 2, capacity=100)
    while client.connection.state == "sending":
        client.read(100000)
    assert bodies(client) == [BIG, BIG]


def test_a_slow_reader_of_a_refusal(bench: Bench) -> None:
    client = bench.connect(b"GET\r\n\r\n", capacity=10)
    assert client.connection.state == "ending"
    client.read(1000)
    assert statuses(client) == [400]
    assert client.connection.state == "lingering"


def test_a_client_that_vanishes_ends_the_stream(bench: Bench, site: Site) -> None:
    client = bench.connect(GET % b"/stream", capacity=300)
    client.vanish()
    assert (client.closed, site.closed) == (True, 1)
    assert site.given < 200


def test_a_cut_that_only_a_reset_can_tell(bench: Bench, site: Site) -> None:
    site.pieces = (b"x" if number else 1 // 0 for number in (1, 0))
    client = bench.connect(b"GET /stream HTTP/1.0\r\n\r\n")
    assert client.reset
    assert site.closed == 1


def test_a_slow_reader_gets_what_was_answered_before_a_cut(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        if environ["PATH_INFO"] == "/cut":
            write(b"x")
            raise LookupError
        return [b"whole"]

    client = Bench(build, app).connect(GET % b"/" + GET % b"/cut" + GET % b"/never", capacity=10)
    assert client.connection.state == "ending"
    client.read(10**6)
    answers = [(one.body, one.whole) for one in client.responses()]
    assert answers == [(b"whole", True), (b"x", False)]
    client.end()
    assert (client.closed, client.reset) == (True, False)


# Requests that come bit by bit


def test_a_client_that_does_not_wait_for_100_is_spared_it(bench: Bench) -> None:
    client = bench.connect(POST.replace(b"Host", b"Expect: 100-continue\r\nHost") % 5 + b"h")
    assert client.received == b""
    client.send(b"ello")
    assert bodies(client) == [b"/post hello"]


@pytest.mark.parametrize(
    "broken",
    [b"GET / HTTP/1.0\n\n", b"GET / HTTP/1.1\r\nno colon\r\nHost: h\r\nX: " + b"y" * 30],
    ids=["line end", "field"],
)
def test_a_second_head_is_looked_at_like_the_first(bench: Bench, broken: bytes) -> None:
    """What nothing can mend is refused without waiting for the rest."""
    client = bench.connect()
    for data in (GET % (b"/" + b"a" * 300), broken):
        client.send(*(bytes([byte]) for byte in data))
    assert statuses(client) == [200, 400]


# Refusals, and lingering behind them


def test_a_refused_client_can_read_why(bench: Bench) -> None:
    client = bench.connect(b"GET\r\n\r\n")
    assert client.finished
    assert not client.closed
    client.send(b"more", GET % b"/never")
    assert statuses(client) == [400]
    client.end()
    assert client.closed
    assert not client.reset


def test_lingering_has_an_end_in_bytes(bench: Bench) -> None:
    client = bench.connect(b"GET\r\n\r\n")
    client.send(*[b"x" * 65536] * 17)
    assert client.closed


def test_what_came_behind_a_last_request_is_read_and_dropped(bench: Bench, site: Site) -> None:
    client = bench.connect(b"GET /last HTTP/1.0\r\n\r\n" + GET % b"/never")
    assert client.connection.state == "lingering"
    assert site.asked == ["/last"]
