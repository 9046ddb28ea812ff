"""What a rule is: what the RFC demands, what it leaves open, and what a breach of it is good for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

# What the source demands. Only a breach of MUST is a fault; SHOULD is counted apart; a choice is only shown.
MUST, SHOULD, CHOICE = "MUST", "SHOULD", "choice"

# What a breach is good for.
SMUGGLING = "smuggling"  # two parsers in a row can see different messages, or a client a response that was not meant
WRONG = "wrong"  # a right message is refused, misread or left without an answer, or a failed one looks whole
LENIENT = "lenient"  # a malformed message is taken, and no framing hangs on it
OK = "ok"


class Finding(NamedTuple):
    """What came of a probe: OK or what a breach is good for, and what was seen, in a few words."""

    verdict: str
    told: str


class Rule(NamedTuple):
    """A rule and the cases of tests/http_cases that try it, as "file: name".

    line: its line in lines.LINES
    source: where it is written
    severity: of a breach
    title: what is asked, as the page says it
    leaves: what else the source leaves to a server, beside what the case expects:
        "served"    the application may get it, if *unless* finds nothing against what it saw
        "refused"   it may be refused, though we serve it
        "silent"    the server may wait for more
    closes: nothing further may be served on that connection
    unless: given what the application saw, a severity, or OK
    """

    line: str
    demand: str
    source: str
    severity: str
    title: str
    cases: tuple[str, ...]
    leaves: str = ""
    closes: bool = False
    unless: Callable[[list[dict[str, Any]]], str] = lambda records: OK


class Probe(NamedTuple):
    """A probe that is no case: *run* is given a session.Session."""

    line: str
    demand: str
    source: str
    severity: str
    title: str
    name: str
    run: Callable[[Any], Finding]


def of(theme: str, *names: str) -> tuple[str, ...]:
    """The cases of one file."""
    return tuple(f"{theme}: {name}" for name in names)
