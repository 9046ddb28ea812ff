"""Hostile requests and responses through a real proxy: do it and the server behind it agree on where each one ends?

A Lane is a server, a proxy with kept connections in front of it, and a client. It sends one conversation, then asks two
innocent questions, each on a connection of its own to the proxy, which sends them over the same few connections to
the server. What must hold:

    the server has met as many requests as the proxy says that it has passed on, refused ones included
    each answer that came back was made for this conversation, in the order in which its requests came
    the innocent get their own answers, and nothing else

If a proxy sees one request where we see two, or an answer is longer for it than for us, one of these breaks.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.helpers.cases import read_cases
from tests.helpers.proxies import Front, haproxy, nginx
from tests.helpers.serving import PATIENCE, Server, request, serving

TESTS = Path(__file__).parents[1]
FORGED = 999999  # a number that no answer has
FORGERY = b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 0\r\n\r\n" % FORGED
NUMBER = re.compile(rb"\r\nX-Number: ([0-9]+)\r\n", re.IGNORECASE)

PAUSE = 0.02  # seconds between the pieces of a conversation that is sent in pieces
# Whoever goes silent is cut off soon, so that each conversation has an end
IMPATIENT_NGINX = """
    client_header_timeout 100ms; client_body_timeout 100ms; keepalive_timeout 100ms; lingering_timeout 100ms;
"""
IMPATIENT_HAPROXY = """
    timeout http-request 100ms
    timeout http-keep-alive 100ms
    timeout client 100ms
    timeout server 500ms
"""

NGINX_BLOCK = """
upstream shop {{ server "{address}" max_fails=0; keepalive 4; }}
server {{
    listen 80;
    location / {{
        proxy_pass http://shop; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $http_host;
        proxy_request_buffering {buffering}; proxy_next_upstream off;
    }}
}}
"""
HAPROXY_BLOCK = """
backend shop
    http-reuse always
    retries 0
    server one "{address}" {option}
"""
LANES = {
    "nginx tcp": ("nginx", "tcp", "on"),
    "nginx unix": ("nginx", "unix", "on"),
    "nginx unbuffered": ("nginx", "tcp", "off"),
    "haproxy tcp": ("haproxy", "tcp", ""),
    "haproxy unix": ("haproxy", "unix", ""),
    "haproxy PROXY v2": ("haproxy", "tcp", "send-proxy-v2"),
}


class Application:
    """Numbers its answers; the path says how they are wrong."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.given: list[int] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        number = next(self._numbers)
        self.given.append(number)
        body = environ["wsgi.input"].read()
        fields = [("X-Number", str(number)), ("X-Path", re.sub("[^ -~]", "?", environ["PATH_INFO"]))]
        respond = RESPONSES.get(environ["PATH_INFO"].rpartition("/respond/")[2])
        if respond is not None:
            return respond(environ, lambda status, more=(): start_response(status, [*fields, *more]))
        start_response("200 OK", fields)
        return [b"%d bytes" % len(body)]


def _too_long(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "4")])
    return [b"four", FORGERY]


def _too_long_stream(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "4")])
    yield b"four" + FORGERY
    yield FORGERY


def _too_short(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "10")])
    return [b"four"]


def _too_short_stream(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "10")])
    yield b"four"


def _no_content(environ: Any, start: Any) -> Iterable[bytes]:
    start("204 No Content")
    return [FORGERY]


def _no_content_with_length(environ: Any, start: Any) -> Iterable[bytes]:
    start("204 No Content", [("Content-Length", "4")])
    return [b"four" + FORGERY]


def _not_modified(environ: Any, start: Any) -> Iterable[bytes]:
    start("304 Not Modified", [("Content-Length", str(len(FORGERY))), ("ETag", '"x"')])
    return [FORGERY]


def _reset_content(environ: Any, start: Any) -> Iterable[bytes]:
    start("205 Reset Content")
    return [b"not for long"]


def _stream(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK")
    yield b"one"
    yield b""
    yield b"0\r\n\r\n" + FORGERY.replace(b"%d" % FORGED, b"x")


def _failing(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK")
    yield b"one"
    raise RuntimeError("half-way")


def _failing_at_once(environ: Any, start: Any) -> Iterable[bytes]:
    raise RuntimeError("at once")


def _empty(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK")
    return []


def _injecting(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("X-A", "b\r\n\r\n" + FORGERY.decode())])
    return []


def _chunked_by_hand(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Transfer-Encoding", "chunked")])
    return [b"0\r\n\r\n" + FORGERY]


def _two_lengths(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "4"), ("Content-Length", "0")])
    return [b"four"]


def _interim(environ: Any, start: Any) -> Iterable[bytes]:
    start("100 Continue")
    return [FORGERY]


def _switching(environ: Any, start: Any) -> Iterable[bytes]:
    start("101 Switching Protocols", [("Upgrade", "websocket"), ("Connection", "Upgrade")])
    return [FORGERY]


def _hints(environ: Any, start: Any) -> Iterable[bytes]:
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    start("200 OK")
    return [b"after hints"]


def _closing(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Connection", "close")])
    return [b"bye"]


RESPONSES = {
    "too-long": _too_long,
    "too-long-stream": _too_long_stream,
    "too-short": _too_short,
    "too-short-stream": _too_short_stream,
    "no-content": _no_content,
    "no-content-with-length": _no_content_with_length,
    "not-modified": _not_modified,
    "reset-content": _reset_content,
    "stream": _stream,
    "failing": _failing,
    "failing-at-once": _failing_at_once,
    "empty": _empty,
    "injecting": _injecting,
    "chunked-by-hand": _chunked_by_hand,
    "two-lengths": _two_lengths,
    "interim": _interim,
    "switching": _switching,
    "closing": _closing,
    "hints": _hints,
}


class Meter:
    """The server's observer: how many requests it has met, in whole or in part."""

    def __init__(self) -> None:
        self.met = 0
        self.connections: set[Any] = set()
        self._begun: set[Any] = set()  # connections whose request is not answered

    def request_started(self, connection: Any, exchange: Any, head: bytes) -> None:
        self.met += 1
        self.connections.add(connection)
        self._begun.add(connection)

    def response_ended(self, exchange: Any) -> None:
        if exchange.code:  # else it is refused, or its client is gone
            self._begun.discard(exchange.connection)

    def request_refused(self, connection: Any, refusal: Any) -> None:
        if connection not in self._begun:
            self.met += 1
        self._begun.discard(connection)

    def tick(self) -> None:
        pass


class Lane:
    """A server with a proxy in front."""

    def __init__(self, server: Server, front: Front, application: Application, meter: Meter) -> None:
        self.server = server
        self.front = front
        self.application = application
        self.meter = meter
        self.requests = 0  # that came to the server
        self._innocent = itertools.count(1)

    def judge(self, *sent: bytes) -> str:
        """Hold one conversation; what is wrong, or "" if all is well."""
        passed, met = self.front.forwarded(), self.meter.met
        self.application.given.clear()
        received = self._converse(sent)
        given = list(self.application.given)
        numbers = [int(number) for number in NUMBER.findall(received)]
        if FORGED in numbers or numbers != [number for number in given if number in numbers]:
            return f"answers {numbers}, given {given}: {received!r}"
        for _ in range(2):
            wrong = self._ask()
            if wrong:
                return wrong
        until = time.monotonic() + PATIENCE / 5
        while (said := self.front.forwarded() - passed) != self.meter.met - met:
            if time.monotonic() > until:
                return f"the proxy has passed on {said} requests, {self.meter.met - met} came"
            time.sleep(0.002)
        self.requests += said
        return ""

    def _converse(self, sent: tuple[bytes, ...]) -> bytes:
        """All that comes back until the proxy has had enough."""
        with self.front.connect() as client:
            try:
                for piece in sent:
                    client.send(piece)
                    if len(sent) > 1:
                        client.is_readable(PAUSE)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent
            return client.rest()

    def _ask(self) -> str:
        path = f"/innocent/{next(self._innocent)}"
        with self.front.connect() as client:
            client.send(request("POST", path, [("Connection", "close")], b"innocent"))
            answer = client.answer()
            rest = client.rest()
        if (answer.status, answer.get("X-Path"), answer.body, rest) == (200, path, b"8 bytes", b""):
            return ""
        return f"{path} was answered with {answer} and {rest!r}"


@contextmanager
def lane(build: SimpleNamespace, folder: Path, name: str, threads: int = 1) -> Iterator[Lane]:
    """The Lane of that name, of LANES; its server has so many threads."""
    kind, family, option = LANES[name]
    folder.mkdir(exist_ok=True)
    bind = "127.0.0.1:0" if family == "tcp" else f"unix:{folder}/s"
    application, meter = Application(), Meter()
    mode = "required" if "proxy" in option else "off"
    settings: dict[str, Any] = {"bind": [bind], "proxy_protocol": mode, "threads": threads}
    with serving(build, application, meter, **settings) as server:
        address = "{}:{}".format(*server.address) if family == "tcp" else server.address
        if kind == "nginx":
            address = address if family == "tcp" else f"unix:{address}"
            block = NGINX_BLOCK.format(address=address, buffering=option)
            with nginx(folder / "front", block, IMPATIENT_NGINX) as front:
                yield Lane(server, front, application, meter)
        else:
            address = address if family == "tcp" else f"unix@{address}"
            block = HAPROXY_BLOCK.format(address=address, option=option)
            with haproxy(folder / "front", block, IMPATIENT_HAPROXY) as front:
                yield Lane(server, front, application, meter)


def conversations() -> dict[str, list[tuple[str, list[bytes]]]]:
    """All conversations by their source: the corpus of hostile ones, the cases of HTTP, and wrong responses."""
    found = {}
    for path in [*sorted(TESTS.glob("whole/desync/*.http")), *sorted(TESTS.glob("http_cases/*.http"))]:
        found[f"{path.parent.name}/{path.stem}"] = [(case.name, case.sent) for case in read_cases(path)]
    after = request(target="/after")
    found["responses"] = [
        (f"{method} {kind}", [request(method, f"/respond/{kind}") + after])
        for kind in RESPONSES
        for method in ("GET", "HEAD")
    ]
    return found


def is_for(name: str, conversation: str) -> bool:
    """nginx understands interim responses of its upstream from 1.29.0 on; before, it takes a 103 for the whole."""
    return "hints" not in conversation or not name.startswith("nginx")


def judge_all(
    build: SimpleNamespace,
    folder: Path,
    names: Iterable[str],
    chosen: dict[str, list[tuple[str, list[bytes]]]],
    threads: int = 1,
) -> dict[str, Verdicts]:
    """Hold the conversations *chosen* on each of the lanes *names*, all lanes at once: the verdicts by lane."""
    with ExitStack() as stack:
        lanes = {
            name: stack.enter_context(lane(build, folder / name.replace(" ", "-"), name, threads)) for name in names
        }
        verdicts = {name: Verdicts() for name in lanes}
        running = [threading.Thread(target=verdicts[name].fill, args=(name, lanes[name], chosen)) for name in lanes]
        for one in running:
            one.start()
        for one in running:
            one.join()
    return verdicts


class Verdicts:
    """What came of the conversations on one lane."""

    def __init__(self) -> None:
        self.held = 0
        self.requests = 0  # that the proxy has passed on
        self.connections = 0  # by which they came
        self.wrong: list[str] = []

    def fill(self, lane_name: str, one: Lane, chosen: dict[str, list[tuple[str, list[bytes]]]]) -> None:
        """Hold all of *chosen* on the lane *one*."""
        for source, conversations in chosen.items():
            for name, sent in [pair for pair in conversations if is_for(lane_name, pair[0])]:
                try:
                    wrong = one.judge(*sent)
                except Exception as error:
                    wrong = f"{type(error).__name__}: {error}"
                self.held += 1
                if wrong:
                    self.wrong.append(f"{source}: {name}: {wrong}")
        self.requests, self.connections = one.requests, len(one.meter.connections)
