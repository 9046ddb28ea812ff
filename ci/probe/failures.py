"""Response: what a client sees of an application that fails (tests/helpers/faults), and of the answer behind it.

The gravest is a failed answer that looks complete: a cache keeps it, and nobody repeats the request.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.helpers.faults import CUT, FAILED, FAULTS, Fault

from .judge import NEXT, is_next
from .rules import CHOICE, MUST, OK, SHOULD, SMUGGLING, WRONG, Finding, Probe
from .session import Gone, Session
from .talk import NEXT_ENDS, Reply, Talk

HEADERS, ON_THE_WIRE, NO_BODY = "header checks", "too long", "no body"
LOOKS_COMPLETE = "looks complete"
AHEAD = "PEP 3333 Error Handling"

# line, demand, source, severity, what is asked, which faults
GROUPS: list[tuple[str, str, str, str, str, tuple[str, ...]]] = [
    ("failed before the head", SHOULD, AHEAD, WRONG, "An error before anything is out: 500, or no answer", (
        *("LookupError_at_once", "LookupError_after_start_response", "MemoryError_at_once"),
        *("ConnectionResetError_at_once", "BlockingIOError_at_once", "StopIteration_at_once", "endless_recursion"),
        *("wrong_signature", "iter_raises", "generator_raises_first", "generator_raises_after_nothing"),
    )),
    ("failed before the head", SHOULD, "PEP 3333 Specification Details", WRONG,
     "An application that does not keep to PEP 3333: 500, or no answer", (
        *("never starts and returns list", "never starts and returns empty list", "never starts and returns generator"),
        *("returns None", "returns int", "returns list of int", "returns list of str", "returns generator of str"),
        *("body_before_the_head", "start_response_without_arguments", "write_of_str"),
    )),
    ("own exceptions", CHOICE, "PEP 3333 leaves it open", WRONG,
     "SystemExit and others of an application do not end the server",
     ("SystemExit_at_once", "KeyboardInterrupt_at_once", "GeneratorExit_at_once", "SystemExit_midway")),
    ("failed midway", SHOULD, "PEP 3333 Error Handling, RFC 9112 8", WRONG,
     "An answer that fails half-way does not look complete", (
        *("LookupError_midway", "stop_iteration_midway", "str_midway", "none_midway", "started_again_midway"),
        *("error_page_too_late", "error_after_write"),
    )),
    ("failed midway", SHOULD, "PEP 3333 Content-Length", WRONG,
     "An answer shorter than its Content-Length: the connection is closed", (
        *("error_before_the_announced_end", "list_too_short", "generator_too_short"),
        *("nothing_of_what_was_announced", "write_too_short"),
    )),
    (ON_THE_WIRE, MUST, "RFC 9110 8.6, RFC 9112 6.3", SMUGGLING,
     "Nothing is sent beyond the Content-Length that is sent", (
        *("list_too_long", "generator_too_long", "something_where_nothing_was_announced", "write_too_long"),
        "error_after_the_announced_end",
    )),
    (NO_BODY, MUST, "RFC 9110 6.4.1, RFC 9112 6.3", SMUGGLING, "204 and 304 have no body, whatever is given",
     ("body_of_204", "stream_of_304")),
    (NO_BODY, MUST, "RFC 9110 15.3.6", WRONG, "205 has no content, whatever is given",
     ("body_of_205", "stream_of_205")),
    (HEADERS, MUST, "RFC 9110 5.5, RFC 9112 4", SMUGGLING, "CR and LF do not come out in a status or a field",
     ("status_with_crlf", "header_with_crlf")),
    (HEADERS, MUST, "RFC 9110 8.6", SMUGGLING, "Two Content-Lengths that differ do not come out",
     ("two_lengths",)),
    (HEADERS, CHOICE, "PEP 3333 Other HTTP Features", WRONG,
     "Hop-by-hop fields, 1xx and a second start_response are the application's mistakes",
     ("own_transfer_encoding", "interim_status", "started_twice")),
    ("close()", CHOICE, "PEP 3333 leaves it open", WRONG, "close() that raises: only the log is told",
     ("close_raises_LookupError",)),
]


def probes() -> list[Probe]:
    return [
        Probe(line, demand, source, severity, title, f"failure: {name.replace('_', ' ')}", trial(name, line))
        for line, demand, source, severity, title, names in GROUPS
        for name in names
    ]


def trial(name: str, line: str) -> Callable[[Session], Finding]:
    target = f"/--fault/{name.replace(' ', '%20')}"
    request = f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()

    def run(session: Session) -> Finding:
        try:
            found, stray, records, talk = session.ask(request, follow=NEXT)
        except Gone as error:
            return Finding(WRONG, str(error))
        if not records or is_next(records[0]):
            return Finding(WRONG, "not called")
        harm = harms_the_next(found, stray, talk)
        if harm is not None or not found:
            return harm or Finding(OK, "closed")
        return judge(FAULTS[name], found[0], line)

    return run


def harms_the_next(found: list[Reply], stray: bytes, talk: Talk) -> Finding | None:
    """What is wrong with the answer behind this one, or with this one for there is none."""
    goes_on = NEXT_ENDS in talk.data
    if not found:
        return None if talk.end else Finding(WRONG, "silent")
    if NEXT_ENDS in found[0].body and found[0].get("x-seen"):
        return Finding(WRONG, "no answer, and went on")
    if stray or any(reply.status != 200 for reply in found[1:]):
        told = f"stray: {stray[:12]!r}" if stray else f"then {found[1].status}"
        return Finding(SMUGGLING if goes_on else WRONG, told)
    if len(found) == 1 and found[0].whole and not talk.end:
        return Finding(WRONG, f"{found[0].status}, the next silent")
    return None


def judge(fault: Fault, reply: Reply, line: str) -> Finding:
    """Hold the answer against its row."""
    if reply.get("set-cookie") or reply.body.startswith(b"<script>"):
        return Finding(SMUGGLING, "injected")
    if len(set(reply.all("content-length"))) > 1:
        return Finding(SMUGGLING, "both sent")
    told = f"{reply.status}" + ("" if reply.whole else ", cut")
    if reply.status >= 500 or not reply.whole:
        return Finding(OK, told)
    if line in (HEADERS, ON_THE_WIRE):
        return Finding(OK, told if reply.body == fault.body else f"{told}, mended")
    if line == NO_BODY and reply.status not in (204, 205, 304):
        return Finding(WRONG, f"{told}, body {reply.body[:12]!r}")
    if fault.outcome in (FAILED, CUT):
        return Finding(WRONG, f"{told}, {LOOKS_COMPLETE}")
    return Finding(OK if reply.body == fault.body else WRONG, f"{told}, body {reply.body[:12]!r}")
