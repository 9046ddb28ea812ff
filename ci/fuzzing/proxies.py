"""What proxies say of their clients: PROXY headers, and the fields of forwarding.

A PROXY header ends where it says, whatever comes behind it, and any beginning of it is incomplete. A field sets nothing
that is malformed, and a client who writes to the front of it changes nothing of what the proxies have appended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from fastwsgi import backend
from fastwsgi.http.errors import HttpError
from fastwsgi.http.forwarded import FIELDS, Forwarding
from fastwsgi.http.proxy_protocol import MAX_SIZE, SIGNATURE, NoHeader, ProxyError, parse
from fastwsgi.settings.settings import Settings
from tests.helpers.memory import make_parser
from tests.helpers.proxy_headers import BAD, GOOD

from .choices import Choices, payload_and_choices, with_choices

LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: .*)?|TCP[46] [0-9A-Fa-f:.]+ [0-9A-Fa-f:.]+ [0-9]{1,5} [0-9]{1,5})\r\n", re.DOTALL
)
FIELD_VALUE = re.compile("[\\t \x21-\x7e\x80-\xff]*")
PROXY, STRANGER = "10.0.0.1", "192.0.2.9"
NAMES = [name for name, _, _ in FIELDS]
KEYS = [key for _, key, _ in FIELDS]
BELIEVED = [
    Forwarding(Settings(forwarded_allow_ips=PROXY, forwarded_headers=",".join(NAMES[:-1]), forwarded_hops=1)),
    Forwarding(Settings(forwarded_allow_ips="10.0.0.0/8", forwarded_headers=",".join(NAMES[:-1]), forwarded_hops=3)),
    Forwarding(Settings(forwarded_allow_ips="*", forwarded_headers="forwarded", forwarded_hops=1)),
    Forwarding(Settings(forwarded_allow_ips=PROXY, forwarded_headers="forwarded", forwarded_hops=2)),
]
HOPS = (1, 3, 1, 2)
TRUSTS_ALL = 2
TEMPLATE = make_parser(backend.build("py"), Settings(), plain=True).template
TOLD = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")


def check(data: bytes) -> Any:
    """The last bytes of *data* say which of the two it is."""
    payload, choices = payload_and_choices(data)
    if choices.byte() % 2:
        return check_header(payload)
    return check_fields(payload, choices)


# PROXY headers


def check_header(data: bytes) -> Any:
    try:
        header = parse(data)
    except NoHeader:
        assert not data.startswith((b"PROXY ", SIGNATURE))
        return "none"
    except ProxyError:
        return "refused"
    if header is None:
        assert len(data) < MAX_SIZE
        return "incomplete"
    size = header.size
    assert 8 <= size <= min(len(data), MAX_SIZE)
    assert parse(data[:size] + b"GET /") == header == parse(data[:size])
    for shorter in {0, 1, 5, 12, 15, 16, size // 2, size - 2, size - 1}:
        assert shorter >= size or parse(data[:shorter]) is None, f"{shorter} of {size} bytes are not incomplete"
    assert data.startswith(SIGNATURE) or LINE.fullmatch(data[:size]), "not a line of version 1"
    check_client(header.host or "", header.port)
    header.describe(PROXY, {})
    return size, header.host, header.port


def check_client(host: str, port: str) -> None:
    """An address in canonical spelling, or none; a port, or none."""
    assert host == "" or str(ip_address(host)) == host
    assert port == "" or (re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536)


# The fields


def check_fields(payload: bytes, choices: Choices) -> Any:
    number = choices.byte() % len(BELIEVED)
    values = [value.strip(" \t") for value in payload.decode("latin-1").split("\n") if FIELD_VALUE.fullmatch(value)]
    fields = {KEYS[choices.byte() % len(KEYS)]: value for value in values[:4]}
    before = {**TEMPLATE, "wsgi.url_scheme": "http", "PATH_INFO": "/shop/a", "HTTP_HOST": "h", **fields}
    if number != TRUSTS_ALL:
        stranger = describe(BELIEVED[number], before, STRANGER)
        assert stranger is not None
        assert pick(stranger) == {**pick(before), "REMOTE_ADDR": STRANGER, "REMOTE_PORT": "1"}
    told = describe(BELIEVED[number], before, PROXY)
    if told is None:
        return "refused"
    check_client(told["REMOTE_ADDR"], told["REMOTE_PORT"])
    assert told["fastwsgi.peer_addr"] == PROXY
    assert told["wsgi.url_scheme"] in ("http", "https")
    assert (told.get("HTTPS") == "on") == (told["wsgi.url_scheme"] == "https")
    assert re.fullmatch("[0-9]{1,5}", told["SERVER_PORT"])
    assert int(told["SERVER_PORT"]) < 65536
    assert re.fullmatch("[!-~]+", told["HTTP_HOST"])
    assert told["SCRIPT_NAME"] == "" or re.fullmatch(r"(?:/[^/\\\x00-\x1f\x7f]+)+", told["SCRIPT_NAME"])
    assert not {".", ".."} & set(told["SCRIPT_NAME"].split("/"))
    check_front(number, before, told)
    return pick(told)


def check_front(number: int, before: dict[str, Any], told: dict[str, Any]) -> None:
    """Entries that stand before those of the proxies say nothing."""
    for key, evil in zip(KEYS, ("6.6.6.6", "https", "evil", "666", "/evil", "for=6.6.6.6;host=evil")):
        value = before.get(key, "")
        entries = value.split(",")
        if len(entries) >= HOPS[number] and all(one.strip(" \t") for one in entries) and '"' not in value:
            again = describe(BELIEVED[number], {**before, key: f"{evil}, {value}"}, PROXY)
            assert again is not None
            assert pick(again) == pick(told), f"{key}: what the client wrote counts"


def pick(environ: dict[str, Any]) -> dict[str, Any]:
    return {key: environ.get(key) for key in TOLD}


def describe(forwarding: Any, before: dict[str, Any], peer: str) -> dict[str, Any] | None:
    """The environ of a request of *peer*; None if it is refused."""
    environ = {**before, "REMOTE_ADDR": peer, "REMOTE_PORT": "1"}
    try:
        forwarding.describer(peer)(environ)
    except HttpError as error:
        if error.status == 400:
            return None
        raise
    return environ


def seeds() -> Iterator[bytes]:
    for header in [*GOOD, *BAD]:
        yield with_choices(header, b"\1")
    lists = [b"1.2.3.4", b"a, 1.2.3.4", b"[2001:db8::1]:80, 1.2.3.4:5, ::1", b"https", b"h:80, www.example.org"]
    lists += [b"/shop"]
    lists += [b'for=1.2.3.4;proto=https;host="a:1", for="[::1]:80"', b"for=unknown, for=_x;by=y", b"443", b"/a%2fb"]
    for number, value in enumerate(lists * 2):
        for key in range(len(KEYS)):
            choices = bytes([0, number % len(BELIEVED), key, (key + 1) % 6])
            yield with_choices(value + b"\n" + lists[number // 2], choices)
