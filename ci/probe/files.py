"""Files that a server sends by itself, of a folder for /static: paths, methods, conditions, ranges and codings.

Asked of the servers that can do that. What is outside of the folder must never come out of it, however it is named.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from .failures import harms_the_next
from .judge import NEXT
from .rules import CHOICE, LENIENT, MUST, OK, SHOULD, SMUGGLING, WRONG, Finding, Probe
from .session import Gone, Session
from .site import FOLDER, SCRIPT, SECRET, TEXT
from .talk import Reply

PROBES: list[Probe] = []


def ask(name: str, fields: str = "", method: str = "GET") -> bytes:
    return f"{method} /static/{name} HTTP/1.1\r\nHost: h\r\n{fields}\r\n".encode("latin-1")


def fetch(session: Session, name: str, fields: str = "", method: str = "GET") -> Reply:
    """The one answer. Raises Gone, also where there is none."""
    found, _, _, talk = session.ask(ask(name, fields + "Connection: close\r\n", method))
    if not found:
        raise Gone("closed" if talk.end else "silent")
    return found[0]


def probe(
    line: str, demand: str, source: str, severity: str, title: str, name: str, judge: Callable[[Session], str]
) -> None:
    """Enter a function of the session, which returns what is wrong."""

    def run(session: Session) -> Finding:
        try:
            wrong = judge(session)
        except Gone as error:
            return Finding(WRONG, str(error))
        return Finding(severity if wrong else OK, wrong or "yes")

    PROBES.append(Probe(line, demand, source, severity, title, f"file: {name}", run))


# Paths

OUTSIDE = {
    "two dots": "../secret.txt",
    "two dots, encoded": "%2e%2e/secret.txt",
    "two dots, one encoded": ".%2e/secret.txt",
    "two dots and a slash, encoded": "..%2fsecret.txt",
    "all of it encoded": "%2e%2e%2fsecret.txt",
    "encoded twice": "%252e%252e%252fsecret.txt",
    "a backslash": "..%5csecret.txt",
    "overlong UTF-8": "%c0%ae%c0%ae/secret.txt",
    "an overlong slash": "..%c0%afsecret.txt",
    "by way of a file": "a.txt/../../secret.txt",
    "NUL": "../secret.txt%00.txt",
    "a parameter": "..;/secret.txt",
    "two slashes": "/../secret.txt",
    "an absolute path": str(FOLDER.parent / "secret.txt"),
    "an absolute path, encoded": "%2f" + str(FOLDER.parent / "secret.txt")[1:],
}


def stays_inside(target: str) -> Callable[[Session], str]:
    def judge(session: Session) -> str:
        found, stray, _, talk = session.ask(ask(target), follow=NEXT)
        harm = harms_the_next(found, stray, talk)
        return "given out" if SECRET in talk.data else harm.told if harm is not None else ""

    return judge


for name, target in OUTSIDE.items():
    probe("file paths", MUST, "RFC 9110 17.3", WRONG, "What is outside of the folder is not sent", name,
          stays_inside(target))
for name, target in {"a link that leads out": "link.txt", "a name with a dot first": ".env"}.items():
    probe("file paths", CHOICE, "RFC 9110 17.3", LENIENT, "What was hardly meant to be sent is not sent", name,
          stays_inside(target))


# Methods

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"


def head(session: Session) -> str:
    whole, found = fetch(session, "a.txt"), fetch(session, "a.txt", method="HEAD")
    if found.status != 200 or found.body:
        return f"{found.status}, body {found.body[:12]!r}"
    return "" if found.get("content-length") in (whole.get("content-length"), None) else "another Content-Length"


def post(session: Session) -> str:
    found = fetch(session, "a.txt", "Content-Length: 0\r\n", "POST")
    if found.status == 405:
        return "" if found.get("allow") else "no Allow"
    return "the file" if found.body == TEXT else ""


def body_of_a_post(session: Session) -> str:
    request = ask("a.txt", f"Content-Length: {len(HIDDEN)}\r\n", "POST") + HIDDEN
    found, stray, records, talk = session.ask(request, follow=NEXT)
    if any(record["environ"].get("PATH_INFO") == "/hidden" for record in records):
        return "its body was served"
    harm = harms_the_next(found, stray, talk)
    return harm.told if harm is not None else ""


probe("file methods", MUST, "RFC 9110 9.3.2", WRONG, "HEAD has the fields of GET, and no body", "HEAD", head)
probe("file methods", MUST, "RFC 9110 15.5.6", WRONG, "POST does not get the file; 405 says what is allowed",
      "POST", post)
probe("file methods", MUST, "RFC 9112 6", SMUGGLING, "A body that nobody asked for is no request",
      "POST with a request for a body", body_of_a_post)


# Conditions and ranges


def answers(name: str, fields: str, *allowed: int, method: str = "GET") -> Callable[[Session], str]:
    """The status is one of these; 200 has all of the file, 304 nothing."""

    def judge(session: Session) -> str:
        etag = fetch(session, name).get("etag")
        if "{etag}" in fields and etag is None:
            return ""
        found = fetch(session, name, fields.replace("{etag}", etag or ""), method)
        if found.status not in allowed:
            return str(found.status)
        whole = found.status != 200 or method == "HEAD" or found.body == TEXT
        return "" if whole and (found.status != 304 or not found.body) else f"{found.status}, body {found.body[:12]!r}"

    return judge


LATER = "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
NONE = "RFC 9110 13.1.2", WRONG, "If-None-Match is obeyed where there are tags"
for name, fields, status in (
    ("its own tag", "If-None-Match: {etag}\r\n", 304),
    ("its own tag among others", 'If-None-Match: "x", W/{etag}, "y"\r\n', 304),
    ("a star", "If-None-Match: *\r\n", 304),
    ("another tag", 'If-None-Match: "{etag}\r\n', 200),
    ("another tag and a date to come", 'If-None-Match: "x"\r\n' + LATER, 200),
    ("1,000 other tags", "If-None-Match: " + ",".join(['"x"'] * 1000) + "\r\n", 200),
):
    probe("file conditions", SHOULD if status == 304 else MUST, *NONE, f"If-None-Match: {name}",
          answers("a.txt", fields, status))
probe("file conditions", MUST, "RFC 9110 13.1.3", WRONG, "A date that is none is ignored", "If-Modified-Since: no date",
      answers("a.txt", "If-Modified-Since: tomorrow\r\n", 200))
probe("file conditions", MUST, "RFC 9110 13.1.1", WRONG, "If-Match of another state fails", "If-Match: another tag",
      answers("a.txt", 'If-Match: "x"\r\n', 412))
probe("file conditions", MUST, "RFC 9110 13.1.4", WRONG, "If-Unmodified-Since of an older state fails",
      "If-Unmodified-Since: 1990", answers("a.txt", "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT\r\n", 412))


def part(asked: str, content: bytes, told: str) -> Callable[[Session], str]:
    def judge(session: Session) -> str:
        found = fetch(session, "a.txt", f"Range: bytes={asked}\r\n")
        if found.status == 200:
            return "" if found.body == TEXT else f"body {found.body[:12]!r}"
        if found.status != 206 or found.get("content-range") != f"bytes {told}/10":
            return f"{found.status}, {found.get('content-range')}"
        return "" if found.body == content else f"body {found.body[:12]!r}"

    return judge


def many_ranges(session: Session) -> str:
    found = fetch(session, "a.txt", "Range: bytes=" + ",".join(["0-9"] * 1000) + "\r\n")
    return "" if len(found.body) < 1000 else f"{len(found.body)} bytes"


for asked, content, told in (
    ("0-1", b"01", "0-1"), ("8-", b"89", "8-9"), ("-3", b"789", "7-9"), ("5-99", b"56789", "5-9"),
    ("-99", TEXT, "0-9"), ("9-99999999999999999999", b"9", "9-9"),
):
    probe("file ranges", MUST, "RFC 9110 15.3.7", WRONG, "A part is what was asked for, and says so",
          f"Range: bytes={asked}", part(asked, content, told))
for asked in ("5-1", "a-b", "-", "", "1", "--1", "+1-2", "0x1-2"):
    probe("file ranges", MUST, "RFC 9110 14.2", WRONG, "A range that is none is ignored, or refused",
          f"Range: bytes={asked or ' and nothing'}", answers("a.txt", f"Range: bytes={asked}\r\n", 200, 416))
for asked in ("10-", "99999999999999999999-", "-0"):
    probe("file ranges", SHOULD, "RFC 9110 14.2", WRONG, "A range outside of the file gets 416, or all of it",
          f"Range: bytes={asked}", answers("a.txt", f"Range: bytes={asked}\r\n", 416, 200))
probe("file ranges", MUST, "RFC 9110 14.2", WRONG, "Range is for GET alone", "Range with HEAD",
      answers("a.txt", "Range: bytes=0-1\r\n", 200, method="HEAD"))
probe("file ranges", MUST, "RFC 9110 13.1.5", WRONG, "If-Range of another state has all of the file",
      "If-Range: another tag", answers("a.txt", 'Range: bytes=0-1\r\nIf-Range: "x"\r\n', 200))
probe("file ranges", SHOULD, "RFC 9110 17.15", LENIENT, "Many ranges do not cost more than the file", "1,000 ranges",
      many_ranges)


# Codings


def coded(accepted: str, *, may_be_coded: bool) -> Callable[[Session], str]:
    def judge(session: Session) -> str:
        found = fetch(session, "a.js", f"Accept-Encoding: {accepted}\r\n")
        coding = found.get("content-encoding")
        if coding is None:
            right = found.status == 406 or (found.status == 200 and found.body == SCRIPT)
            return "" if right else str(found.status)
        if not may_be_coded or coding != "gzip" or gzip.decompress(found.body) != SCRIPT:
            return coding
        return "" if "accept-encoding" in (found.get("vary") or "").lower() else "no Vary"

    return judge


def tags_of_codings(session: Session) -> str:
    plain, zipped = (fetch(session, "a.js", f"Accept-Encoding: {one}\r\n") for one in ("identity", "gzip"))
    same = plain.get("etag") is not None and plain.get("etag") == zipped.get("etag")
    return "the same tag" if same and zipped.get("content-encoding") else ""


for accepted in ("gzip", "gzip;q=0.5, br;q=0.1", "*"):
    probe("file codings", SHOULD, "RFC 9110 12.5.5", WRONG, "What is sent in a coding says so, and that it depends",
          f"Accept-Encoding: {accepted}", coded(accepted, may_be_coded=True))
for accepted in ("gzip;q=0", "identity", "*;q=0, identity", "gzip;q=0.000", "gzippy"):
    probe("file codings", SHOULD, "RFC 9110 12.5.3", WRONG, "A coding that is not accepted is not used",
          f"Accept-Encoding: {accepted}", coded(accepted, may_be_coded=False))
probe("file codings", MUST, "RFC 9110 8.8.3.3", WRONG, "Each coding has a strong tag of its own", "tags of codings",
      tags_of_codings)
