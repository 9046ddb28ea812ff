"""The conformance probe of ci/probe: its tables are sound, it can tell wrong from right, the page is what was found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ci.probe import book, page
from ci.probe.judge import Seen, not_split
from ci.probe.lines import LINES, SECTIONS
from ci.probe.peers import Server
from ci.probe.results import HERE, Results
from ci.probe.rules import (
    CHOICE,
    LENIENT,
    MUST,
    OK,
    SHOULD,
    SMUGGLING,
    WRONG,
    Finding,
    Rule,
)
from ci.probe.session import Session
from ci.probe.talk import Reply, Talk, replies
from tests.helpers.cases import Case, Expected

ROOT = Path(__file__).resolve().parents[2]
PROBES = book.probes()
linux = pytest.mark.skipif(sys.platform != "linux", reason="the probe runs on Linux")


# The tables


def test_each_line_of_the_book_has_a_probe() -> None:
    assert {probe.line for probe in PROBES} == set(LINES)
    assert len(LINES) == sum(map(len, SECTIONS.values())), "a line is in two sections"


def test_probes_have_names_of_their_own() -> None:
    names = [probe.name for probe in PROBES]
    assert {name for name in names if names.count(name) > 1} == set()
    assert len(names) > 600


def test_rules_name_cases_that_any_server_can_be_asked() -> None:
    cases = book.cases()
    named = [name for rule in book.RULES for name in rule.cases]
    assert [name for name in named if name not in cases] == []
    assert [name for name in named if cases[name].settings or cases[name].app != "echo"] == []


def test_what_is_demanded_has_a_source() -> None:
    for probe in PROBES:
        assert probe.demand in (MUST, SHOULD, CHOICE)
        assert probe.severity in (SMUGGLING, WRONG, LENIENT)
        assert probe.demand == CHOICE or probe.source.startswith(("RFC ", "PEP 3333")), probe.name


# The committed page


@pytest.fixture(scope="module")
def results() -> Results:
    return Results.load(HERE / "results.json")


def test_the_page_is_what_the_results_give(results: Results) -> None:
    text = (HERE / "README.md").read_text()
    assert text == page.renewed(text, results), "run: python -m ci.probe --render"


def test_the_results_have_each_probe_and_no_other(results: Results) -> None:
    assert set(results.found) == {probe.name for probe in PROBES}, "run: python -m ci.probe --slow"


def test_fastwsgi_passes_all(results: Results) -> None:
    for build in ("fastwsgi", "fastwsgi-pure"):
        assert [name for name, found in results.found.items() if found[build].verdict != OK] == []


def test_the_page_says_what_the_source_says(results: Results) -> None:
    text = page.render(results)
    for probe in PROBES:
        assert f"| {page.escaped(probe.name)} |" in text


# Reading what a server sends


def read(data: bytes, method: str = "GET", end: str = "closed") -> tuple[list[Reply], bytes]:
    return replies(Talk(data, end), lambda reply: method)


def test_replies() -> None:
    found, stray = read(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        b"HTTP/1.0 404\r\nA: b\r\n\r\nto the end"
    )
    assert [(reply.status, reply.body, reply.whole) for reply in found] == [
        (100, b"", True), (200, b"abc", True), (200, b"ab", True), (404, b"to the end", True)
    ]
    assert found[3].get("a") == "b"
    assert stray == b""


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
    ],
)
def test_a_reply_that_is_cut(data: bytes) -> None:
    assert [reply.whole for reply in read(data)[0]] == [False]


def test_stray_bytes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    assert read(head + b"abcd")[1] == b"d"
    assert read(head + b"abc", method="HEAD")[1] == b"abc"
    assert read(b"<html>") == ([], b"<html>")


# Judging


REFUSED = Case("x", sent=[b"POST / HTTP/1.1\r\n\r\n"], expected=[Expected(400, False)], outcome="close")
SERVED = Case("x", sent=[b"GET / HTTP/1.1\r\n\r\n"], expected=[Expected(200, False, ["HTTP_A = b"])], outcome="open")
NEXT = {"environ": {"REQUEST_METHOD": "GET", "PATH_INFO": "/next"}}


def rule(**changes: object) -> Rule:
    return Rule("CL", MUST, "RFC 9112", SMUGGLING, "title", ())._replace(**changes)  # type: ignore[arg-type]


def judged(
    case: Case, statuses: list[int], *records: dict[str, object], end: str = "closed", ours: bool = False,
    **of_rule: object,
) -> Finding:
    found = [Reply(status, [], b"", True) for status in statuses]
    return Seen(rule(**of_rule), case, found, b"", list(records), Talk(b"", end)).finding(ours)


def saw(**environ: str) -> dict[str, object]:
    return {"environ": {"PATH_INFO": "/", **environ}, "body": "", "length": 0}


def test_a_refusal_is_any_that_keeps_the_request_from_the_application() -> None:
    assert judged(REFUSED, [400]) == (OK, "400")
    assert judged(REFUSED, [501]) == (OK, "501")
    assert judged(REFUSED, []) == (OK, "closed")
    assert judged(REFUSED, [], end="").verdict == WRONG
    assert judged(REFUSED, [], end="", leaves="silent").verdict == OK


def test_what_must_be_refused_and_is_served() -> None:
    assert judged(REFUSED, [200, 200], saw(), NEXT) == (SMUGGLING, "served")
    assert judged(REFUSED, [200], saw()) == (LENIENT, "served, closed")
    assert judged(REFUSED, [200], {**saw(), "error": "ValueError"}) == (OK, "reading fails")


def test_a_connection_that_must_close_and_goes_on() -> None:
    assert judged(REFUSED, [400, 200], NEXT) == (OK, "400")
    assert judged(REFUSED, [400, 200], NEXT, closes=True) == (SMUGGLING, "400, and went on")
    assert judged(REFUSED, [200, 200], saw(), NEXT, closes=True, leaves="served").verdict == SMUGGLING
    assert judged(REFUSED, [200], saw(), closes=True, leaves="served").verdict == OK


def test_more_requests_than_were_sent() -> None:
    assert judged(SERVED, [200, 200], saw(HTTP_A="b"), saw()) == (SMUGGLING, "2 requests seen")


def test_what_must_be_served() -> None:
    assert judged(SERVED, [200, 200], saw(HTTP_A="b"), NEXT) == (OK, "served")
    assert judged(SERVED, [200], saw(HTTP_A="b")) == (OK, "served, closed")
    assert judged(SERVED, [200, 200], saw(HTTP_A="c"), NEXT) == (SMUGGLING, "served, HTTP_A 'c'")
    assert judged(SERVED, [400], severity=WRONG) == (WRONG, "400")
    assert judged(SERVED, [400], leaves="refused") == (OK, "400")


def test_a_choice_is_no_fault_but_ours_is_held_to_what_we_chose() -> None:
    assert judged(REFUSED, [200, 200], saw(), NEXT, demand=CHOICE).verdict == OK
    assert judged(REFUSED, [200, 200], saw(), NEXT, demand=CHOICE, ours=True).verdict != OK
    assert judged(REFUSED, [501], ours=True) == (WRONG, "501, not 400")


def test_what_is_left_may_still_be_found_wrong() -> None:
    split = not_split("HTTP_X", raw="\r")
    assert judged(REFUSED, [200, 200], saw(HTTP_A="a b"), NEXT, leaves="served", unless=split).verdict == OK
    assert judged(REFUSED, [200, 200], saw(HTTP_A="a\rb"), NEXT, leaves="served", unless=split).verdict == LENIENT
    assert judged(REFUSED, [200, 200], saw(HTTP_X="b"), NEXT, leaves="served", unless=split).verdict == SMUGGLING


# For real


def probe(name: str) -> object:
    return next(one for one in PROBES if one.name == name)


@linux
def test_a_server_that_is_not_strict_is_found_out() -> None:
    run = "from wsgiref.simple_server import make_server; import apps; "
    run += "make_server('127.0.0.1', {port}, apps.{app}).serve_forever()"
    with Session(Server("wsgiref", "", ("-c", run)), sys.executable, patience=0.5) as session:
        found = {name: probe(name).run(session) for name in (  # type: ignore[attr-defined]
            "request_line: The plainest request",
            "host: Two different ones",
            "framing: Chunked",
            "failure: LookupError at once",
            "failure: list too long",
            "application: close after all",
        )}
    assert [finding.verdict for finding in found.values()] == [OK, LENIENT, WRONG, OK, WRONG, OK], found


@linux
def test_the_command_on_a_few_probes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ci.probe", "--servers", "fastwsgi-pure", "--only", "CL.TE"],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fastwsgi-pure: framing: CL.TE: Content-Length, then Transfer-Encoding: ok: 400\n"
    assert done.stderr.startswith("fastwsgi-pure: 1 of 1 in ")
