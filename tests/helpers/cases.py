r"""Reads the cases of http_cases/*.http: what a client sends, and what must come of it. A case reads like this:

    === A query is given as it was sent             the name; a new case begins
    # RFC 3986 3.4                                  a remark
    !set root_path=/shop                            a setting of the server, by its name in settings/settings.py
    !app stream                                     another application than echo: see case_applications.py
    > GET /a?b=%20 HTTP/1.1                         a line of the request, sent with CRLF
    > Host: h
    >                                               ... an empty one
    >| abc                                          bytes sent without CRLF
    !wait                                           the client sends on only when it saw what came of this
    !end                                            the client closes its side
    < 200                                           the status of a response, in order ("100?": may be left out)
      QUERY_STRING = b=%20                          what environ said for the request that it answers
      HTTP_X absent
      body = abc                                    what wsgi.input gave
      text = GET /a?b=%20 3\n                       the body of the response
      whole = True                                  whether its end came
      field Connection = close                      a field of the response
      field Date present
    = open                                          at the end the connection is open, close(d), or must wait for more

Everywhere \r \n \t \0 \\ \{ \} \xHH are bytes, and {a*8190} is "a" 8190 times; one such may stand within another.
http/test_http_cases.py runs them in memory, ci/probe over sockets, against other servers too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "http_cases"


@dataclass
class Expected:
    """One response, and what the application saw."""

    status: int
    optional: bool
    facts: list[str] = field(default_factory=list)


@dataclass
class Case:
    """One conversation."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    app: str = "echo"
    sent: list[bytes] = field(default_factory=list)  # each waits for what came of the one before
    ends: bool = False  # the client closes its side
    expected: list[Expected] = field(default_factory=list)
    outcome: str = ""


ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}
ONE = r"[^{}\\]|\\."
NOTATION = re.compile(rf"\\x([0-9a-f]{{2}})|\\(.)|\{{((?:{ONE}|\{{(?:{ONE})*\}})*)\*([0-9]+)\}}|([{{}}\\])")


def unescape(text: str) -> str:
    """The characters (of latin-1) that *text* stands for."""

    def replace(found: re.Match[str]) -> str:
        code, escape, unit, count, stray = found.groups()
        assert stray is None, f"{stray} must be written \\{stray} in {text!r}"
        if code:
            return chr(int(code, 16))
        return unescape(unit) * int(count) if count else ESCAPES.get(escape, escape)

    return NOTATION.sub(replace, text)


def read_cases(path: Path) -> list[Case]:
    """The cases of one file."""
    cases: list[Case] = []
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        if line.startswith("==="):
            cases.append(Case(line[3:].strip()))
        elif line.strip() and not line.startswith("#"):
            try:
                read_line(cases[-1], line)
            except (AssertionError, ValueError, IndexError) as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    return cases


def read_line(case: Case, line: str) -> None:
    """Add one line to its case."""
    word, _, rest = line.partition(" ")
    if word in (">", ">|"):
        if not case.sent:
            case.sent.append(b"")
        case.sent[-1] += unescape(rest + ("\r\n" if word == ">" else "")).encode("latin-1")
    elif word == "!wait":
        case.sent.append(b"")
    elif word == "!end":
        case.ends = True
    elif word == "!set":
        name, _, value = rest.partition("=")
        case.settings[name] = value
    elif word == "!app":
        case.app = rest
    elif word == "<":
        case.expected.append(Expected(int(rest.rstrip("?")), rest.endswith("?")))
    elif word == "=":
        assert rest in ("open", "close", "wait"), f"no such end: {rest}"
        case.outcome = rest
    else:
        assert line.startswith("  "), f"not understood: {line}"
        case.expected[-1].facts.append(line.strip())


FACT = re.compile(r"(field )?(\S+) (?:= ?(?P<value>.*)|(?P<absent>absent)|(?P<present>present))")


@dataclass
class Fact:
    """One line of what is expected; *value* None: only whether it is there counts."""

    of_response: bool
    name: str
    value: str | None
    absent: bool


def read_fact(text: str) -> Fact:
    """The meaning of a line below a status."""
    read = FACT.fullmatch(text)
    assert read is not None, f"not understood: {text}"
    value = None if read["value"] is None else unescape(read["value"])
    return Fact(read[1] is not None, unescape(read[2]), value, read["absent"] is not None)


def all_cases() -> list[tuple[str, Case]]:
    """Every case, with the name of its file."""
    return [(path.stem, case) for path in sorted(FOLDER.glob("*.http")) for case in read_cases(path)]
