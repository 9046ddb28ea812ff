"""Response and environ: right applications (served/behaviours.py), and what the client and they must see."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .failures import harms_the_next
from .judge import NEXT
from .rules import CHOICE, LENIENT, MUST, OK, SHOULD, SMUGGLING, WRONG, Finding, Probe
from .session import Gone, Record, Session
from .talk import Reply

PROBES: list[Probe] = []
Judge = Callable[[Reply, Record], str]  # what is wrong; "" if nothing


def ask(name: str, method: str = "GET", version: str = "1.1", fields: str = "", body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} /--does/{name} HTTP/{version}\r\nHost: h\r\n{fields}{length}\r\n".encode() + body


def probe(
    line: str, demand: str, source: str, severity: str, title: str, request: bytes
) -> Callable[[Judge], Judge]:
    """Enter a function into PROBES: it is given the first reply and what the application noted.

    The next request on the same connection must be answered right, or the connection be closed.
    """

    def enter(judge: Judge) -> Judge:
        def run(session: Session) -> Finding:
            try:
                found, stray, records, talk = session.ask(request, follow=NEXT)
            except Gone as error:
                return Finding(WRONG, str(error))
            if not found or not records:
                return Finding(WRONG, "closed" if talk.end else "silent")
            final = found[1:] if found[0].status < 200 else found
            harm = harms_the_next(final, stray, talk)
            if harm is not None:
                return harm
            wrong = judge(found[0], records[0])
            return Finding(severity if wrong else OK, wrong or str(found[0].status))

        name = f"application: {judge.__name__.replace('_', ' ')}"
        PROBES.append(Probe(line, demand, source, severity, title, name, run))
        return judge

    return enter


def body_is(expected: bytes) -> Callable[[Reply], str]:
    def check(reply: Reply) -> str:
        if reply.status != 200:
            return str(reply.status)
        if not reply.whole:
            return "not whole"
        return "" if reply.body == expected else f"body {reply.body[:12]!r}"

    return check


def told(condition: Any, what: str) -> str:
    return "" if condition else what


STREAMED = "A body of unknown length is framed, and its end is seen"


@probe("length", MUST, "RFC 9112 6.3", WRONG, STREAMED, ask("stream"))
def stream_in_1_1(reply: Reply, record: Record) -> str:
    return body_is(b"one two")(reply)


@probe("length", MUST, "RFC 9112 6.1", SMUGGLING, "No Transfer-Encoding is sent to HTTP/1.0",
       ask("stream", version="1.0"))
def stream_in_1_0(reply: Reply, record: Record) -> str:
    return told(reply.get("transfer-encoding") is None, "chunked") or body_is(b"one two")(reply)


@probe("length", MUST, "RFC 9112 6.2", SMUGGLING, "Never both Transfer-Encoding and Content-Length", ask("known"))
def one_length_only(reply: Reply, record: Record) -> str:
    both = reply.get("transfer-encoding") is not None and reply.get("content-length") is not None
    return told(not both, "both") or body_is(b"hello")(reply)


@probe("length", MUST, "RFC 9112 6.3", WRONG, STREAMED, ask("empty"))
def an_empty_list(reply: Reply, record: Record) -> str:
    return body_is(b"")(reply)


@probe("no body", MUST, "RFC 9110 9.3.2", SMUGGLING, "HEAD has no body, whatever is given", ask("known", "HEAD"))
def head_of_a_known_length(reply: Reply, record: Record) -> str:
    return told(reply.status == 200, str(reply.status))


@probe("no body", MUST, "RFC 9110 9.3.2", SMUGGLING, "HEAD has no body, whatever is given", ask("stream", "HEAD"))
def head_of_a_stream(reply: Reply, record: Record) -> str:
    return told(reply.status == 200, str(reply.status))


@probe("no body", SHOULD, "RFC 9110 9.3.2", WRONG, "HEAD says what GET would", ask("known", "HEAD"))
def head_says_the_length(reply: Reply, record: Record) -> str:
    return told(reply.get("content-length") == "5", f"Content-Length {reply.get('content-length')}")


@probe("no body", MUST, "RFC 9110 8.6, RFC 9112 6.1", WRONG, "204 has no length and no coding", ask("no_content"))
def no_content(reply: Reply, record: Record) -> str:
    length, coding = reply.get("content-length"), reply.get("transfer-encoding")
    return told(reply.status == 204 and length is coding is None, f"{reply.status}, length {length}, coding {coding}")


@probe("no body", SHOULD, "RFC 9110 15.4.5", WRONG, "304 keeps what the application says", ask("not_modified"))
def not_modified(reply: Reply, record: Record) -> str:
    return told(reply.status == 304 and reply.get("etag") == '"x"', str(reply.status))


@probe("Date, Server", MUST, "RFC 9110 6.6.1", LENIENT, "Date is sent", ask("known"))
def date(reply: Reply, record: Record) -> str:
    return told(reply.get("date"), "none")


@probe("Date, Server", CHOICE, "RFC 9110 10.2.4", LENIENT, "Server may be sent", ask("known"))
def server(reply: Reply, record: Record) -> str:
    return told(reply.get("server"), "none")


@probe("header checks", MUST, "RFC 9110 5.3", WRONG, "Set-Cookie twice goes out twice", ask("two_cookies"))
def two_cookies(reply: Reply, record: Record) -> str:
    return told(reply.all("set-cookie") == ["a=1", "b=2"], str(reply.all("set-cookie"))[:30])


@probe("start_response", MUST, "PEP 3333 The write() Callable", WRONG, "write() works", ask("written"))
def written(reply: Reply, record: Record) -> str:
    return body_is(b"one two three")(reply)


@probe("start_response", SHOULD, "PEP 3333 The start_response() Callable", WRONG,
       "exc_info replaces what is not out yet", ask("replaced"))
def replaced(reply: Reply, record: Record) -> str:
    if reply.status != 503 or reply.get("x-first"):
        return f"{reply.status}, X-First {reply.get('x-first')}"
    return told(reply.body == b"sorry", f"body {reply.body[:12]!r}")


@probe("start_response", MUST, "PEP 3333 The start_response() Callable", WRONG,
       "start_response may be called by the first piece", ask("late_start"))
def started_by_a_generator(reply: Reply, record: Record) -> str:
    return body_is(b"late")(reply)


@probe("keep-alive", CHOICE, "PEP 3333 Other HTTP Features", WRONG, "The application may say Connection: close",
       ask("closing"))
def closing(reply: Reply, record: Record) -> str:
    return body_is(b"bye")(reply) or told(reply.get("connection") == "close", f"Connection {reply.get('connection')}")


@probe("wsgi.input", SHOULD, "PEP 3333 Input and Error Streams", WRONG, "read() ends where the body does",
       ask("reads", "POST", body=b"abcdef"))
def read(reply: Reply, record: Record) -> str:
    return told(record.get("got") == ["ab", "cdef", "", ""], str(record.get("got"))[:30])


@probe("wsgi.input", SHOULD, "PEP 3333 Input and Error Streams", WRONG, "read() ends where the body does", ask("reads"))
def read_without_a_body(reply: Reply, record: Record) -> str:
    return told(record.get("got") == ["", "", "", ""], str(record.get("got"))[:30])


@probe("wsgi.input", MUST, "PEP 3333 Input and Error Streams", WRONG, "readline, readlines and iteration work",
       ask("lines", "POST", body=b"a\nbc\nd\ne"))
def readline_and_readlines(reply: Reply, record: Record) -> str:
    return told(record.get("got") == ["a\n", "bc\n", "d\n", "e"], str(record.get("got"))[:30])


@probe("wsgi.input", MUST, "PEP 3333 Input and Error Streams", WRONG, "readline, readlines and iteration work",
       ask("iterates", "POST", body=b"a\nbc\nd\ne"))
def iteration(reply: Reply, record: Record) -> str:
    return told(record.get("got") == ["a\n", "bc\n", "d\n", "e"], str(record.get("got"))[:30])


@probe("wsgi.input", MUST, "RFC 9112 9.3", SMUGGLING, "A body that is not read is not taken for the next request",
       ask("unread", "POST", body=b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n" * 100))
def unread(reply: Reply, record: Record) -> str:
    return body_is(b"hello")(reply)


@probe("environ keys", MUST, "PEP 3333 Input and Error Streams", WRONG, "wsgi.errors takes text", ask("errors"))
def errors(reply: Reply, record: Record) -> str:
    return body_is(b"hello")(reply)


@probe("environ keys", CHOICE, "beyond PEP 3333", LENIENT, "wsgi.early_hints sends a 103", ask("hints"))
def early_hints(reply: Reply, record: Record) -> str:
    return told(reply.status == 103, "none")


@probe("environ keys", MUST, "PEP 3333 Optional Platform-Specific File Handling", WRONG,
       "wsgi.file_wrapper, where there is one, sends what it wraps", ask("wrapped"))
def file_wrapper(reply: Reply, record: Record) -> str:
    return body_is(b"0123456789")(reply)


@probe("environ keys", MUST, "PEP 3333, as wsgiref.validate reads it", WRONG, "wsgiref's validator has no complaint",
       ask("validated", "POST", body=b"ab"))
def validated(reply: Reply, record: Record) -> str:
    return str(record.get("complaint", "not called"))[:60]


@probe("environ fresh", MUST, "PEP 3333 Specification Details", WRONG, "environ is a dict, and the application's own",
       ask("spoils_environ"))
def environ_is_a_dict(reply: Reply, record: Record) -> str:
    return told(record["type"] == "dict", record["type"]) or body_is(b"hello")(reply)


def function(line: str, demand: str, source: str, severity: str, title: str) -> Callable[[Any], Any]:
    """Enter a function of the session, which returns what is wrong, or (OK, what was seen)."""

    def enter(judge: Callable[[Session], str]) -> Callable[[Session], str]:
        def run(session: Session) -> Finding:
            try:
                wrong = judge(session)
            except Gone as error:
                return Finding(WRONG, str(error))
            return Finding(severity if wrong else OK, wrong or "yes")

        name = f"application: {judge.__name__.replace('_', ' ')}"
        PROBES.append(Probe(line, demand, source, severity, title, name, run))
        return judge

    return enter


@function("environ fresh", MUST, "PEP 3333 Specification Details", WRONG,
          "environ is a dict, and the application's own")
def what_one_request_left_in_environ(session: Session) -> str:
    _, _, records, _ = session.ask(ask("spoils_environ"), follow=NEXT)
    left = [record["environ"].get("HTTP_X_LEFT") for record in records[1:]]
    return told(not any(left), "left over")


@function("streams", MUST, "PEP 3333 Buffering and Streaming", WRONG,
          "A piece is on its way before the next is asked for")
def a_piece_is_not_held_back(session: Session) -> str:
    _, _, _, talk = session.ask(ask("paused"), patience=1.0, follow=NEXT)
    at = next((when for when, size in talk.times if b"one " in talk.data[:size]), None)
    then = next((when for when, size in talk.times if b"two" in talk.data[:size]), None)
    if at is None or then is None:
        return "not whole"
    return told(then - at > 0.15, "held back")


def closes(name: str, session: Session, within: float = 1.0, **options: Any) -> str:
    """How often close() was called: it may come after the last byte, or when writing fails."""
    session.talk(ask(name), **options)
    deadline = time.monotonic() + within
    count = 0
    while not count and time.monotonic() < deadline:
        session.records()
        count = session.closings
        time.sleep(0.02)
    session.records()
    return told(count + session.closings == 1, f"called {count + session.closings} times")


CLOSED = "close() is called once"


@function("close()", MUST, "PEP 3333 Specification Details", WRONG, CLOSED)
def close_after_all(session: Session) -> str:
    return closes("closed", session)


@function("close()", MUST, "PEP 3333 Specification Details", WRONG, CLOSED)
def close_after_an_error(session: Session) -> str:
    return closes("closed_after_error", session)


@function("close()", MUST, "PEP 3333 Specification Details", WRONG, CLOSED)
def close_when_the_client_is_gone(session: Session) -> str:
    return closes("closed_when_gone", session, within=5.0, stop=b"xxxx")


@function("keep-alive", MUST, "RFC 9112 9.3", WRONG, "A server that closes says Connection: close")
def says_close(session: Session) -> str:
    found, _, _, talk = session.ask(ask("known"), follow=NEXT)
    if len(found) > 1 or not found:
        return told(found, "no answer")
    said = "close" in (found[0].get("connection") or "").lower()
    return told(said or not talk.end, "closes unsaid")


@function("keep-alive", MUST, "RFC 9112 9.3, C.2.2", WRONG,
          "HTTP/1.0 is kept only if that is said, and the length, too")
def kept_in_1_0(session: Session) -> str:
    found, _, _, talk = session.ask(ask("stream", version="1.0", fields="Connection: keep-alive\r\n"), follow=NEXT)
    if not found:
        return "no answer"
    kept = (found[0].get("connection") or "").lower() == "keep-alive"
    framed = found[0].get("content-length") is not None
    return told(not kept or framed or talk.end, "kept without a length") or told(found[0].whole, "not whole")
