"""A server on a real socket, and a client that sees every byte: what the tests over sockets stand on.

`Server` runs the loop of one build in a thread, on a port that the system chose. Its clock can be put forward, so that
deadlines come without waiting for them. `Client` is a plain socket with time-outs; it reads responses strictly by
RFC 9112 6.3 and says of each whether it was whole.
"""

from __future__ import annotations

import queue
import re
import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.observe.error_stream import ErrorStream
from fastwsgi.server import housekeeping as housekeeping_module
from fastwsgi.server import loop as loop_module
from fastwsgi.server import waiting_streams as streams_module
from fastwsgi.server.bind import close_listener, open_listener
from fastwsgi.server.loop import Loop
from fastwsgi.settings.settings import Settings
from fastwsgi.tls.contexts import Tls
from tests.helpers.clock import Clock

PATIENCE = 60.0  # seconds until a test that waits has failed; a machine may stand still for half of that
TIMED = (loop_module, housekeeping_module, streams_module)  # whose time is the loop's clock
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) [\t \x21-\x7e\x80-\xff]*")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t \x21-\x7e\x80-\xff]*)")

App = Callable[..., Iterable[bytes]]


def request(
    method: str = "GET",
    target: str = "/",
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    version: str = "1.1",
) -> bytes:
    """A request, with Host, and with Content-Length if there is a body."""
    lines = [
        f"{method} {target} HTTP/{version}",
        "Host: test",
        *(f"{name}: {value}" for name, value in fields),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


GET = request()
GET_1_0 = request(version="1.0")
HEAD = request("HEAD")


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """*pieces* as a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def answering(*pieces: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> App:
    """An application that gives a list."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return list(pieces)

    return app


class Ended(Exception):
    """The connection ended where a response was expected."""


@dataclass
class Answer:
    """One response as a client understood it."""

    line: bytes
    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    whole: bool = False

    def all(self, name: str) -> list[str]:
        """The values of each field *name*."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of the field *name*, which must not be there twice."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None


class Client:
    """One connection to a server.

    Args:
        address: where to connect to; a str is the path of a unix socket.
        receive_buffer: bytes that the system may take for a reader that has stopped; 0 for its default.
        source: the address to connect from, "" for any.
    """

    def __init__(self, address: Any, receive_buffer: int = 0, source: str = "") -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(PATIENCE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.buffer = bytearray()
        self.end = ""  # then "closed" or "reset"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Client:
        """Send all of *data*."""
        self.socket.sendall(data)
        return self

    def finish(self) -> Client:
        """Say that no more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """End the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def more(self, most: int = 1 << 20) -> bool:
        """Receive something, at most *most* bytes; False at the end of the connection."""
        if self.end:
            return False
        try:
            data = self.socket.recv(most)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
            return False
        if not data:
            self.end = "closed"
        self.buffer += data
        return bool(data)

    def is_readable(self, timeout: float) -> bool:
        """Whether something comes within *timeout* seconds."""
        self.socket.settimeout(timeout)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK)) or True
        except socket.timeout:  # TimeoutError is another class before Python 3.10
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)

    def take(self, count: int) -> bytes:
        """The next *count* bytes, or fewer if the connection ends; no others are received for it."""
        while len(self.buffer) < count and self.more(count - len(self.buffer)):
            pass
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def until(self, mark: bytes) -> bytes:
        """The next bytes, *mark* the last of them; raises Ended if it does not come."""
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark))
            if not self.more():
                raise Ended(f"{self.end} after {bytes(self.buffer)!r}")
        return self.take(at + len(mark))

    def rest(self) -> bytes:
        """All that comes until the connection ends."""
        while self.more():
            pass
        return self.take(len(self.buffer))

    def answer(self, to_head: bool = False) -> Answer:
        """The next response, an interim one included; raises Ended if there is none."""
        lines = self.until(b"\r\n\r\n")[:-4].split(b"\r\n")
        match = STATUS_LINE.fullmatch(lines[0])
        assert match is not None, lines[0]
        fields = []
        for line in lines[1:]:
            field = FIELD.fullmatch(line)
            assert field is not None, line
            fields.append((field[1].decode(), field[2].decode("latin-1")))
        answer = Answer(lines[0], int(match[1]), fields)
        self._read_body(answer, to_head)
        return answer

    def _read_body(self, answer: Answer, to_head: bool) -> None:
        coding, length = answer.get("Transfer-Encoding"), answer.get("Content-Length")
        assert coding is None or (coding == "chunked" and length is None)
        if to_head or answer.status < 200 or answer.status in (204, 304):
            answer.whole = True
        elif coding is not None:
            self._read_chunks(answer)
        elif length is not None:
            answer.body = self.take(int(length))
            answer.whole = len(answer.body) == int(length)
        else:
            answer.body = self.rest()
            answer.whole = self.end == "closed"

    def _read_chunks(self, answer: Answer) -> None:
        pieces: list[bytes] = []
        try:
            while True:
                size = int(self.until(b"\r\n"), 16)
                data = self.take(size + 2)
                pieces.append(data[:size])
                if len(data) < size + 2:
                    return
                assert data[size:] == b"\r\n"
                if size == 0:
                    answer.whole = True
                    return
        except Ended:
            return
        finally:
            answer.body = b"".join(pieces)


class Server:
    """The loop of one build in a thread; see serving()."""

    def __init__(
        self,
        build: SimpleNamespace,
        app: App,
        observer: Any = None,
        routes: dict[str, App] | None = None,
        **settings: Any,
    ) -> None:
        # A connection without bytes shall be accepted too
        self.settings = Settings(**{"defer_accept": False, "bind": ["127.0.0.1:0"], "threads": 1, **settings})
        self.errors: list[tuple[str, BaseException | None]] = []
        self.clock = Clock()
        self.listener = open_listener(self.settings.bind[0], defer_accept=self.settings.defer_accept)
        self.address = self.listener.getsockname()
        errors = ErrorStream()
        self.loop = Loop(build, app, self.settings, self._note, errors, observer)
        errors.attach(self.loop.service)
        self.loop.service.routes = build.routes.Routes(routes) if routes else None
        self.tls = Tls(self.settings) if self.settings.certfile else None
        self.loop.add_listener(self.listener, tls=self.tls)
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = queue.SimpleQueue()
        self._waker, self._wake = socket.socketpair()
        self.loop.add_waker(self._waker.fileno(), self._called)
        self._crash: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _note(self, message: str, error: BaseException | None) -> None:
        self.errors.append((message, error))

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:
            self._crash = error

    def _called(self) -> None:
        self._waker.recv(1)
        function, result = self._calls.get()
        result.put(function())

    def call(self, function: Callable[[], Any]) -> Any:
        """Call *function* between two steps of the loop, in its thread."""
        result: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._calls.put((function, result))
        self._wake.send(b"\0")
        for _ in range(int(PATIENCE / 0.1)):
            try:
                return result.get(timeout=0.1)
            except queue.Empty:
                assert self.thread.is_alive(), f"the loop has ended: {self._crash!r}"
        raise AssertionError("the loop hangs")

    def settle(self) -> None:
        """Wait until the loop has met all that had happened before, its deadlines too."""
        for _ in range(3):
            self.call(lambda: None)

    def advance(self, seconds: float) -> None:
        """Put the clock forward and let the loop look at its deadlines."""
        self.settle()
        self.clock.advance(seconds)
        self.settle()

    def connections(self) -> int:
        """How many connections are open."""
        self.settle()
        return int(self.call(lambda: len(self.loop.connections)))

    def connect(self, receive_buffer: int = 0) -> Client:
        """A new connection."""
        return Client(self.address, receive_buffer)

    def ask(self, data: bytes = GET, to_head: bool = False) -> Answer:
        """The answer to *data* on a connection of its own."""
        with self.connect() as client:
            return client.send(data).answer(to_head or data.startswith(b"HEAD"))

    @property
    def log(self) -> str:
        """The error log, with tracebacks."""
        lines = []
        for message, error in self.errors:
            lines.append(message)
            if error is not None:
                lines += traceback.format_exception(type(error), error, error.__traceback__)
        return "\n".join(lines)

    def stop(self) -> None:
        """As SIGTERM does."""
        self.call(self.loop.stop)

    def end(self) -> None:
        """Stop now and look for what went wrong in the thread."""
        if self.thread.is_alive():
            self._calls.put((self._abort, queue.SimpleQueue()))
            self._wake.send(b"\0")
            self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the loop hangs"
        self.loop.close()
        close_listener(self.listener)
        self._waker.close()
        self._wake.close()
        if self._crash is not None:
            raise self._crash
        assert "internal error" not in self.log

    def _abort(self) -> None:
        self.loop.stop()
        self.loop.abort()


@contextmanager
def serving(
    build: SimpleNamespace, app: App, observer: Any = None, routes: dict[str, App] | None = None, **settings: Any
) -> Iterator[Server]:
    """A Server that runs; *settings* by their names in Settings."""
    server = Server(build, app, observer, routes, **settings)
    before = loop_module.time  # type: ignore[attr-defined]
    for module in TIMED:
        module.time = server.clock  # type: ignore[attr-defined]
    server.thread.start()
    try:
        yield server
    finally:
        try:
            server.end()
        finally:
            for module in TIMED:
                module.time = before  # type: ignore[attr-defined]


def await_loop(server: Server, condition: Callable[[Any], bool]) -> None:
    """Return when *condition*(loop) holds, looked at between steps."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.call(lambda: condition(server.loop)):
            return
    raise AssertionError("it never held")
