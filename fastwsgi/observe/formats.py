"""Formats of the access log: gunicorn's atoms or JSON, read once into the steps that make a line.

A format is text with atoms, such as `%(h)s "%(r)s" %(s)s`; "combined" and "json" are the names of two formats. It
becomes a list of steps, which the twins _access_c.pyx and _access_py.py run for each response. A wrong atom is thus
found at the start.
"""

from __future__ import annotations

import binascii
import enum
import re
from typing import TYPE_CHECKING, Callable

from fastwsgi.http.head import environ_key
from fastwsgi.mistakes import WrongValue
from fastwsgi.originals import time
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(L)s'
SAFE_CHARS = bytes(byte for byte in range(32, 127) if byte not in b'"\\')  # all others are escaped in texts
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Op(enum.IntEnum):
    """What one step writes. Texts are escaped; a missing one is "-", in JSON null."""

    LITERAL = 0  # bytes of the format
    HOST = 1  # text: the client's address
    NOTED = 2  # text: the noted value of environ at this place
    PATH = 3  # text: the same, up to a "?"
    REQUEST = 4  # text: the request line, from the method at this place and the target at the next
    VERSION = 5  # HTTP/1.1, in JSON 1.1
    CODE = 6  # the status
    SENT = 7  # the bytes of the response's body
    SENT_OR_DASH = 8  # the same, "-" for none
    STAMP = 9  # [22/Nov/2026:10:00:00 +0000]
    ISO = 10  # 2026-11-22T10:00:00.000000Z
    SECONDS = 11  # how long the response took, in whole seconds
    MILLISECONDS = 12
    MICROSECONDS = 13
    DURATION = 14  # how long the response took, in seconds with six digits
    QUEUED = 15  # how long the request waited for a thread, in seconds with six digits
    PID = 16
    CALLED = 17  # text: the result of the function at this place
    REQUEST_ID = 18  # text: fastwsgi.request_id in environ, as it is at the end


class Step(NamedTuple):
    """One step: a LITERAL has its bytes, the others the place that their Op mentions."""

    op: Op
    literal: bytes = b""
    place: int = -1


class Format(NamedTuple):
    """A format that has been read.

    Attributes:
        steps: make a line, one after the other.
        noted: keys of environ whose values the steps need as the client sent them.
        calls: functions that make a text of an exchange, each with the place of a noted value that must be there for
            the call, or -1.
        json: whether texts are written as JSON.
        wants_head: whether the functions need the head of the response, which is then the last value noted.
        in_file: what makes lines for a file of the same notes, if the lines themselves are not meant for one.
    """

    steps: list[Step]
    noted: tuple[str, ...]
    calls: list[tuple[Callable[[Exchange], str | None], int]]
    json: bool = False
    wants_head: bool = False
    in_file: Format | None = None

    @property
    def escape(self) -> bytes:
        """The characters before the two hexadecimal digits of an escaped byte."""
        return rb"\u00" if self.json else rb"\x"

    @property
    def missing(self) -> bytes:
        """The replacement for a missing value."""
        return b"null" if self.json else b"-"


def read_format(text: str | None) -> Format:
    """The format with that *text* or name; None stands for "combined". Raises WrongValue for an unknown atom."""
    if text == "json":
        return _Reader(json=True).read_json()
    text = text_of(text)
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise WrongValue("--access-log-format", ": a line cannot have control characters in it")
    return _Reader(json=False).read(text)


def read_atoms(names: list[str], separator: str, in_file: str) -> Format:
    """A format of the atoms *names* with *separator* between them, which may be a control character.

    A file gets lines in the format *in_file*, which has been read before.
    """
    reader = _Reader(json=False)
    reader.read(separator.join([f"%({name})s" for name in names]))
    steps, calls, reader.steps = reader.steps, reader.calls[:], []
    format = reader.read(in_file)  # notes and functions of both are in one row
    return format._replace(steps=steps, calls=calls, in_file=format)


def text_of(text: str | None) -> str:
    """The text of a format that may be given by its name or left out."""
    return COMBINED if text is None or text == "combined" else text


ATOM = re.compile(r"%\((?:\{(?P<name>[^{}()]+)\}(?P<kind>[a-z])|(?P<atom>\w+))\)s|(?P<percent>%%)|(?P<wrong>%.{0,12})")

# Atoms that are one step
PLAIN = {
    "h": Op.HOST,
    "H": Op.VERSION,
    "s": Op.CODE,
    "B": Op.SENT,
    "b": Op.SENT_OR_DASH,
    "t": Op.STAMP,
    "T": Op.SECONDS,
    "M": Op.MILLISECONDS,
    "D": Op.MICROSECONDS,
    "L": Op.DURATION,
    "queue": Op.QUEUED,
    "request_id": Op.REQUEST_ID,
}
FIELDS = {"m": "REQUEST_METHOD", "q": "QUERY_STRING", "f": "HTTP_REFERER", "a": "HTTP_USER_AGENT"}
OTHERS = ("l", "u", "r", "U", "p")

# OpenTelemetry's names, where there is one
JSON = (
    ("timestamp", Op.ISO, ""),
    ("client.address", Op.HOST, ""),
    ("http.request.method", Op.NOTED, "REQUEST_METHOD"),
    ("url.scheme", Op.NOTED, "wsgi.url_scheme"),
    ("url.path", Op.PATH, "RAW_URI"),
    ("url.query", Op.NOTED, "QUERY_STRING"),
    ("network.protocol.version", Op.VERSION, ""),
    ("http.response.status_code", Op.CODE, ""),
    ("http.response.body.size", Op.SENT, ""),
    ("http.server.request.duration", Op.DURATION, ""),
    ("http.server.request.queue_time", Op.QUEUED, ""),
    ("http.request.id", Op.REQUEST_ID, ""),
    ("http.request.header.referer", Op.NOTED, "HTTP_REFERER"),
    ("user_agent.original", Op.NOTED, "HTTP_USER_AGENT"),
    ("process.pid", Op.PID, ""),
)


class _Reader:
    """Gathers the steps of one format."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self.steps: list[Step] = []
        self.noted: list[str] = []
        self.calls: list[tuple[Callable[[Exchange], str | None], int]] = []
        self.wants_head = False

    def read(self, text: str) -> Format:
        end = 0
        for match in ATOM.finditer(text):
            self._write(text[end : match.start()])
            end = match.end()
            if match["wrong"]:
                raise WrongValue(
                    "--access-log-format", f": {match['wrong']!r} is no atom; write them as %(h)s, and %% for %"
                )
            if match["percent"]:
                self._write("%")
            elif match["atom"]:
                self._add_atom(match["atom"])
            else:
                self._add_named(match["name"], match["kind"])
        self._write(text[end:] + "\n")
        return self._finish()

    def read_json(self) -> Format:
        opening = "{"
        for name, op, key in JSON:
            self._write(f'{opening}"{name}": ')
            opening = ", "
            self.steps.append(Step(op, place=self._note(key) if key else -1))
        self._write("}\n")
        return self._finish()

    def _finish(self) -> Format:
        return Format(self.steps, tuple(self.noted), self.calls, self.json, self.wants_head)

    def _write(self, text: str) -> None:
        """Add a piece of the format's own text, joined to one just before it."""
        before = self.steps.pop().literal if self.steps and self.steps[-1].op is Op.LITERAL else b""
        if before or text:
            self.steps.append(Step(Op.LITERAL, before + text.encode()))

    def _note(self, *keys: str) -> int:
        """Make a place for each of *keys*, in a row; the first of these places."""
        self.noted += keys
        return len(self.noted) - len(keys)

    def _call(self, function: Callable[[Exchange], str | None], guard: int = -1) -> None:
        self.calls.append((function, guard))
        self.steps.append(Step(Op.CALLED, place=len(self.calls) - 1))

    def _add_atom(self, atom: str) -> None:
        if atom in PLAIN:
            self.steps.append(Step(PLAIN[atom]))
        elif atom in FIELDS:
            self.steps.append(Step(Op.NOTED, place=self._note(FIELDS[atom])))
        elif atom == "l":
            self._write("-")
        elif atom == "r":
            self.steps.append(Step(Op.REQUEST, place=self._note("REQUEST_METHOD", "RAW_URI")))
        elif atom == "U":
            self.steps.append(Step(Op.NOTED, place=self._note("PATH_INFO")))
        elif atom == "u":
            place = self._note("HTTP_AUTHORIZATION")
            self._call(lambda exchange: basic_user(exchange.note[place]), place)
        elif atom == "p":
            self._write("<")
            self.steps.append(Step(Op.PID))
            self._write(">")
        else:
            known = ", ".join(sorted([*PLAIN, *FIELDS, *OTHERS], key=str.lower))
            known += ", {name}i, {name}o, {name}e"
            raise WrongValue("--access-log-format", f": no atom %({atom})s; there are {known}")

    def _add_named(self, name: str, kind: str) -> None:
        if kind == "i":
            self.steps.append(Step(Op.NOTED, place=self._note(environ_key(name.encode("utf-8")))))
        elif kind == "o":
            self.wants_head = True
            self._call(lambda exchange: response_field(exchange.note[-1], name))
        elif kind == "e":
            self._call(lambda exchange: as_text((exchange.environ or {}).get(name)))
        else:
            raise WrongValue("--access-log-format", f": no atom %({{{name}}}{kind})s; behind the name comes i, o or e")


def basic_user(authorization: str) -> str | None:
    """The user of Basic credentials (RFC 7617), whether the application accepted them or not; None for others."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = binascii.a2b_base64(credentials.strip().encode("latin-1")).partition(b":")
    except binascii.Error:
        return None
    return user.decode("latin-1") if colon and user else None


def response_field(head: object, name: str) -> str | None:
    """The value of the field *name* in the bytes of a response head."""
    if isinstance(head, bytes):
        for line in head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.decode("latin-1").lower() == name.lower():
                return value.strip().decode("latin-1")
    return None


def as_text(value: object) -> str | None:
    """A value that the application left in environ, as text; None for types whose __str__ may be the application's."""
    return str(value) if type(value) in (str, int, float, bool) else None


def current_second() -> tuple[bytes, bytes, float]:
    """The current second in the forms of Op.STAMP and Op.ISO, and its end on the monotonic clock."""
    wall = time.time()
    now = time.gmtime(wall)
    clock = b"%02d:%02d:%02d" % now[3:6]
    stamp = b"[%02d/%s/%d:%s +0000]" % (now.tm_mday, MONTHS[now.tm_mon - 1].encode(), now.tm_year, clock)
    return stamp, b"%d-%02d-%02dT%s" % (*now[:3], clock), time.monotonic() + 1 - wall % 1


def http_date(wall: float) -> str:
    """The time *wall* as in the Date field (RFC 9110 5.6.7), whatever locale, time zone or `datetime` there is."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(wall)
    return f"{DAYS[weekday]}, {day:02} {MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
