"""What no case tells: a right request in single bytes, a head without end, and what a refusal looks like."""

from __future__ import annotations

from .applications import PROBES, function, told
from .judge import NEXT
from .rules import CHOICE, LENIENT, MUST, WRONG
from .session import Session

GET = b"GET /bytes HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
POST = b"POST /bytes HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /bytes HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED += b"5\r\nhello\r\n0\r\n\r\n"
PAUSE = 0.001  # seconds between two bytes
REFUSED = b"GET /<echoed> HTTP/1.1\r\nHost: <echoed>\r\n<echoed>: \x01\r\n\r\n"
MEGABYTE = 1 << 20
SLOW_TITLE = "A right request that arrives byte by byte is served"


def byte_by_byte(session: Session, request: bytes, body: str) -> str:
    pieces = [request[at : at + 1] for at in range(len(request))]
    found, _, records, talk = session.ask(*pieces, between=PAUSE)
    if not found or found[0].status != 200:
        return str(found[0].status) if found else "closed" if talk.end else "silent"
    return told(records and records[0].get("body") == body, f"body {records[0].get('body')!r}" if records else "no")


@function("in pieces", MUST, "RFC 9112 2.2", WRONG, SLOW_TITLE)
def get_byte_by_byte(session: Session) -> str:
    return byte_by_byte(session, GET, "")


@function("in pieces", MUST, "RFC 9112 2.2", WRONG, SLOW_TITLE)
def body_byte_by_byte(session: Session) -> str:
    return byte_by_byte(session, POST, "hello")


@function("in pieces", MUST, "RFC 9112 2.2", WRONG, SLOW_TITLE)
def chunks_byte_by_byte(session: Session) -> str:
    return byte_by_byte(session, CHUNKED, "hello")


@function("head too large", CHOICE, "RFC 9110 5.4", LENIENT, "A head without end is cut off within a megabyte")
def a_megabyte_of_head(session: Session) -> str:
    start = b"GET / HTTP/1.1\r\nHost: h\r\n"
    found, _, _, talk = session.ask(start + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * (MEGABYTE // 35))
    return told(found or talk.end, "reads on")


@function("refusals", MUST, "RFC 9112 6.3, RFC 9110 6.6.1", LENIENT, "A refusal is whole and has a Date")
def a_refusal_is_whole(session: Session) -> str:
    found, stray, _, talk = session.ask(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", follow=NEXT)
    if not found:
        return "" if talk.end else "silent"
    if found[0].status < 400:
        return "served"
    if stray or not found[0].whole:
        return "not whole"
    return told(found[0].status >= 500 or found[0].get("date"), "no Date")


@function("refusals", CHOICE, "RFC 9112 9.6", LENIENT, "A refusal says Connection: close")
def a_refusal_says_close(session: Session) -> str:
    found, _, _, _ = session.ask(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", follow=NEXT)
    if not found or found[0].status < 400:
        return "served" if found else "closed"
    return told((found[0].get("connection") or "").lower() == "close", f"Connection {found[0].get('connection')}")


@function("refusals", CHOICE, "our own", LENIENT, "A refusal repeats nothing of the request")
def a_refusal_is_no_echo(session: Session) -> str:
    _, _, records, talk = session.ask(REFUSED)
    return told(records or b"echoed" not in talk.data, "echo")


@function("failed before the head", CHOICE, "our own", LENIENT, "The traceback is for the log only")
def no_traceback_for_the_client(session: Session) -> str:
    _, _, _, talk = session.ask(b"GET /--fault/LookupError_at_once HTTP/1.1\r\nHost: h\r\n\r\n")
    return told(b"Lookup" not in talk.data and b"Traceback" not in talk.data, "shown")


__all__ = ["PROBES"]
