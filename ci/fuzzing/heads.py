"""Request heads: the three readers agree, and what they accept is right by a grammar written a second time, here.

The second grammar is a few patterns over the whole head: it knows llhttp as little as the scanner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from fastwsgi.settings.settings import Settings
from tests.helpers.heads import CONFIGURATIONS
from tests.helpers.memory import make_parser

from .choices import payload_and_choices, with_choices
from .comparison import Comparison
from .samples import messages
from .together import once_a_thread

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
METHOD = re.compile(rb"[A-Z0-9-]{1,32}")
PORT = re.compile(r":([0-9]+)\Z")
LINE = re.compile(rb"(?:\r\n){0,4}(%b) ([\x21-\x7e]+) HTTP/1\.([01])\r\n" % TOKEN)
FIELD = re.compile(rb"(%b):[ \t]*([\t \x21-\x7e\x80-\xff]*?)[ \t]*\r\n" % TOKEN)
comparisons = once_a_thread(lambda: [Comparison(**how) for how in CONFIGURATIONS])
TEMPLATE = make_parser(backend.build("py"), Settings(), plain=True).template


def check(data: bytes) -> Any:
    """The last bytes of *data* choose the configuration and where an accepted head is cut."""
    raw, choices = payload_and_choices(data)
    comparison = choices.pick(comparisons())
    for _ in range(2):  # the scanner keeps a line at its second sight
        difference = comparison.check(raw, choices.byte() / 256)
        assert not difference, difference
    facts = comparison.pure.read(raw)
    if facts[0] == "accepted":
        verify(raw[: facts[-1]], facts)
    return facts


def verify(head: bytes, facts: tuple[Any, ...]) -> None:
    """Hold an accepted head and its *facts* to the second grammar."""
    _, environ, is_head, version, body_length, keep_alive, expects, is_https, _ = facts
    line = LINE.match(head)
    assert line is not None, "no request line"
    at, fields = line.end(), []
    while not head.startswith(b"\r\n", at):
        field = FIELD.match(head, at)
        assert field is not None, f"no field line at {at}"
        fields.append((field[1].lower(), field[2]))
        at = field.end()
    assert at + 2 == len(head), "bytes behind the head were taken"
    assert environ["REQUEST_METHOD"].encode() == line[1]
    assert METHOD.fullmatch(line[1])
    assert line[1] not in (b"CONNECT", b"PRI")
    assert is_head == (line[1] == b"HEAD")
    assert is_https == line[2].lower().startswith(b"https://")
    port = PORT.search(environ.get("HTTP_HOST", ""))
    assert port is None or int(port[1]) < 65536, "a port that is none"
    assert version == 10 + int(line[3])
    assert body_length == length_of(fields, version)
    assert keep_alive == keeps(fields, version)
    assert expects == (version == 11 and any(name == b"expect" for name, _ in fields))
    assert version == 10 or [name for name, _ in fields].count(b"host") == 1
    allowed = {key for name, _ in fields for key in keys(name)} | set(TEMPLATE)
    if b"://" in line[2]:
        allowed.add("HTTP_HOST")  # from the target (RFC 9112 3.2.2)
    assert set(environ) <= allowed, set(environ) - allowed
    for key, value in environ.items():
        if key == "PATH_INFO" or TEMPLATE.get(key, "") is None:  # decoded, or to come
            continue
        assert re.fullmatch("[\\t \x21-\x7e\x80-\xff]*", value), (key, value)
    assert "\0" not in environ["PATH_INFO"]


def keys(name: bytes) -> tuple[str, ...]:
    """The key that a field may have in environ."""
    if b"_" in name or name == b"transfer-encoding":
        return ()
    key = name.decode().upper().replace("-", "_")
    return (key,) if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else (f"HTTP_{key}",)


def length_of(fields: list[tuple[bytes, bytes]], version: int) -> int:
    """The bytes of the body, -1 for chunks, -2 for what no two parsers read alike (RFC 9112 6.3)."""
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    lengths = {value for name, value in fields if name == b"content-length"}
    if codings:
        return -1 if version == 11 and not lengths and [one.lower() for one in codings] == [b"chunked"] else -2
    if not lengths:
        return 0
    (length, *others) = lengths
    return int(length) if re.fullmatch(rb"0|[1-9][0-9]*", length) and not others else -2


def keeps(fields: list[tuple[bytes, bytes]], version: int) -> bool:
    """Whether the connection persists (RFC 9112 9.3)."""
    options = [
        one.strip(b" \t").lower() for name, value in fields if name == b"connection" for one in value.split(b",")
    ]
    return b"close" not in options and (version == 11 or b"keep-alive" in options)


def seeds() -> Iterator[bytes]:
    for number, message in enumerate(messages()):
        head, separator, _ = message.partition(b"\r\n\r\n")
        yield with_choices(head + separator, bytes([number % len(CONFIGURATIONS), 64 + number % 100]))
