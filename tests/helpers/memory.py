"""Connections without sockets: a wire of byte strings, a loop that takes notes, a clock that the test turns.

    bench = Bench(build, app)
    client = bench.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    client.responses()              # what came back, read by a strict client
    bench.pass_time(75)             # deadlines that are over are met

Bench holds what the connections of one loop share and plays the loop; a Client is the other end of one connection.
After each thing that a client does, everybody who can go on does, until all wait.
"""

from __future__ import annotations

import io
import os
import time
from collections import deque
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.http.forwarded import Forwarding
from fastwsgi.server.holdings import Holdings
from fastwsgi.server.listener import environ_template, head_parser
from fastwsgi.server.spool import Disk
from fastwsgi.settings.settings import Settings
from tests.helpers.responses import Response, read_responses

DATE = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
PEER = "192.0.2.1"  # the address of every client
READ_SIZE = 65536  # bytes that one receive() brings at most
ROUNDS = 200000  # more steps than this without rest: the connection spins
WOULD_BLOCK, LOST = -1, -2
PRESENT, FINISHED, LEFT = 0, 1, 2


class Client:
    """The other end of a connection.

    Args:
        bench: where it connects to.
        capacity: bytes that it takes before it must read again; None for no bound.
        prompt: whether what it takes is acknowledged at once, or when the test lowers *on_the_way*.
    """

    def __init__(self, bench: Bench, fd: int, capacity: int | None, prompt: bool) -> None:
        self.bench = bench
        self.fd = fd
        self.capacity = capacity
        self.prompt = prompt
        self.incoming: deque[bytes] = deque()
        self.received = bytearray()
        self.writes = 0  # how often the server sent something
        self.on_the_way = 0  # bytes that have left the server and are not acknowledged
        self.ended = False  # we send no more
        self.gone = False  # one of both sides has reset the connection
        self.finished = False  # the server sends no more
        self.closed = False  # the server has closed
        self.reset = False  # ... by a reset, or has cut the connection
        self.connection: Any = None
        self.during_send: Callable[[], object] = lambda: None  # another thread, which runs while the server sends

    def send(self, *chunks: bytes) -> None:
        """Send *chunks*, each of which the server gets by itself."""
        for chunk in chunks:
            self.incoming.append(chunk)
            self.bench.settle()

    def read(self, count: int) -> None:
        """Make room for *count* more bytes of the server."""
        assert self.capacity is not None
        self.capacity += count
        self.bench.settle()

    def end(self) -> None:
        """Close our side: we send no more and still read."""
        self.ended = True
        self.bench.settle()

    def vanish(self) -> None:
        """Reset the connection."""
        self.gone = True
        self.bench.settle()

    def responses(self, methods: list[str] | None = None) -> list[Response]:
        """What the server sent, read by a strict client."""
        return read_responses(bytes(self.received), methods or [], self.closed or self.finished)

    @property
    def is_awaited(self) -> bool:
        """Whether the server waits for this client to read."""
        return not self.closed and self.connection.waits == "write"

    @property
    def is_open(self) -> bool:
        """Whether the server would still answer."""
        return not (self.closed or self.finished)


class MemoryMoves:
    """Moves bytes between the buffers of a connection and its client: the methods of a Wire."""

    def __init__(self, clients: dict[int, Client]) -> None:
        self.clients = clients
        self.can_send_files = True

    def receive(self, fd: int, inbox: Any, rest: bytes | None) -> int:
        client = self.clients[fd]
        assert not client.closed
        if client.gone:
            return LOST
        if not client.incoming:
            return 0 if client.ended else WOULD_BLOCK
        chunk = client.incoming.popleft()
        if len(chunk) > READ_SIZE:
            client.incoming.appendleft(chunk[READ_SIZE:])
        inbox.fill((rest or b"") + chunk[:READ_SIZE])
        return len(chunk[:READ_SIZE])

    def receive_into(self, fd: int, inbox: Any, room: Any) -> int:
        count = self.receive(fd, inbox, None)
        room.take(inbox, max(count, 0))
        return count

    def _deliver(self, client: Client, data: bytes) -> int:
        assert not client.closed
        assert not client.finished
        if client.gone:
            return LOST
        if client.capacity is not None:
            data = data[: client.capacity]
            client.capacity -= len(data)
        client.received += data
        client.on_the_way += 0 if client.prompt else len(data)
        client.writes += 1 if data else 0
        return len(data)

    def send(self, fd: int, out: Any) -> int:
        waiting = out.peek()
        assert len(waiting) == out.size, "the out-buffer miscounts"
        sent = self._deliver(self.clients[fd], waiting)
        if sent < 0:
            return LOST
        self.clients[fd].during_send()
        out.sent(sent)
        return int(out.size)

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        client = self.clients[fd]
        if client.capacity is not None:
            count = min(count, client.capacity)
        return self._deliver(client, os.pread(file, count, offset)) if count else WOULD_BLOCK

    def unsent(self, fd: int) -> int:
        return self.clients[fd].on_the_way

    def presence(self, fd: int) -> int:
        client = self.clients[fd]
        return LEFT if client.gone else FINISHED if client.ended else PRESENT

    def finish(self, fd: int) -> None:
        self.clients[fd].finished = True

    def cut(self, fd: int) -> None:
        client = self.clients[fd]
        client.gone = client.reset = True

    def close(self, fd: int, reset: bool) -> None:
        client = self.clients[fd]
        assert not client.closed, "closed twice"
        client.closed, client.reset = True, client.reset or bool(reset)


@lru_cache
def wire_class(build_name: str) -> type:
    """MemoryMoves as a Wire of a build."""
    from fastwsgi import backend

    return type("MemoryWire", (MemoryMoves, backend.build(build_name).wire.Wire), {})


class NotingLoop:
    """What connections ask of their loop, noted down; *clock* is the time, of which the connections see a copy."""

    def __init__(self, settings: Settings, meter: Any, guard: Any) -> None:
        self.meter, self.guard = meter, guard
        self.holdings = Holdings(settings.max_buffered, settings.spool_size, self.make_room)
        self.disk = Disk(settings.max_spooled, self.note_shortage)
        self.clock = 1000.0
        self.watched: dict[int, str] = {}
        self.turns: list[Any] = []
        self.forgotten: list[Any] = []
        self.room_wanted = False
        self.shortages: list[str] = []
        self.refused: list[str] = []

    def watch(self, connection: Any, event: str, before: str) -> None:
        assert event in ("read", "write")
        assert self.watched.get(connection.fd, "") == before
        self.watched[connection.fd] = event

    def unwatch(self, connection: Any, before: str) -> None:
        assert self.watched.pop(connection.fd, "") == before

    def go_on_later(self, connection: Any) -> None:
        self.turns.append(connection)

    def renew_time(self, service: Any) -> None:
        service.now = self.clock

    def pause(self) -> None:
        time.sleep(0.001)

    def forget(self, connection: Any) -> None:
        assert self.watched.pop(connection.fd, "") == connection.waits
        self.forgotten.append(connection)

    def make_room(self) -> None:
        self.room_wanted = True

    def note_shortage(self, problem: str, error: BaseException | None) -> None:
        self.shortages.append(problem)

    def report_refusal(self, host: str, reason: str) -> None:
        self.refused.append(reason)

    def fail(self, connection: Any, error: Exception) -> None:
        raise error


class FakeListener:
    """An address, for the environ of those who connect."""

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 8000)


class Bench:
    """What the connections of one loop share, and the loop.

    Args:
        build: from fastwsgi.backend.
        app: a WSGI application.
        observer: of the service.
        settings: as for Settings; scanner=False turns the scanner off.
    """

    def __init__(
        self, build: SimpleNamespace, app: Callable[..., Any], observer: Any = None, **settings: Any
    ) -> None:
        self.build = build
        self.settings = Settings(**{"threads": 1, **settings})
        self.errors: list[tuple[str, BaseException | None]] = []
        self.loop = NotingLoop(self.settings, build.meter.Meter(), build.guard.Guard())
        self.clients: dict[int, Client] = {}
        self.wire = wire_class(build.name)(self.clients)
        self.parser = make_parser(build, self.settings)
        self.service = build.service.Service(build, app, self.settings, self._note_error, observer, self.loop)
        self.service.date_line = DATE
        self.loop.renew_time(self.service)

    def _note_error(self, message: str, error: BaseException | None) -> None:
        self.errors.append((message, error))

    def connect(self, data: bytes = b"", capacity: int | None = None, prompt: bool = True) -> Client:
        """A client that connects, perhaps with its first bytes right behind."""
        client = Client(self, len(self.clients) + 10, capacity, prompt)
        self.clients[client.fd] = client
        if data:
            client.incoming.append(data)
        reader = self.make_reader()
        client.connection = self.build.connection.Connection(
            self.service, reader, self.wire, self.build.pace.Pace(self.service), client.fd
        )
        client.connection.on_ready()
        self.settle()
        return client

    def make_reader(self) -> Any:
        """The reader of the requests of a client, with what a proxy reports of it."""
        forwarding = Forwarding(self.settings) if self.settings.forwarded_allow_ips else None
        complete = forwarding.describer(PEER) if forwarding is not None else None
        return self.build.request_reader.RequestReader(self.parser, PEER, "4711", complete)

    def settle(self) -> None:
        """Let everybody go on who can, until all wait."""
        for _ in range(ROUNDS):
            if not self.step():
                return
        raise AssertionError("a connection spins")

    def step(self) -> bool:
        """One round of the loop: events, then turns; False when there was nothing to do."""
        self.loop.renew_time(self.service)
        ready = [client for client in self.clients.values() if self._is_ready(client)]
        for client in ready:
            client.connection.on_ready()
        turns, self.loop.turns = self.loop.turns, []
        for connection in turns:
            connection.on_turn()
        return bool(ready or turns)

    def _is_ready(self, client: Client) -> bool:
        event = self.loop.watched.get(client.fd)
        if event == "read":
            return bool(client.incoming) or client.ended or client.gone
        return event == "write" and (client.gone or client.capacity != 0)

    def pass_clock(self, seconds: float) -> None:
        """Turn the clock and do nothing: time passes while an application runs."""
        self.loop.clock += seconds

    def pass_time(self, seconds: float) -> None:
        """Turn the clock, meet the deadlines that are over, and let everybody go on."""
        self.pass_clock(seconds)
        self.sweep()
        self.settle()

    def sweep(self) -> None:
        """Meet the deadlines that are over, as the loop does each second."""
        self.loop.renew_time(self.service)
        for client in self.clients.values():
            if not client.closed and client.connection.look(self.service.now):
                client.connection.on_deadline()


def make_parser(build: SimpleNamespace, settings: Settings, plain: bool = False) -> Any:
    """A HeadParser as the loop makes it; a *plain* one gives environs of what compares, str and None."""
    listener: Any = FakeListener()
    template = environ_template(listener, settings, io.StringIO(), build.body.EmptyInput())
    if plain:
        template = {key: value for key, value in template.items() if value is None or isinstance(value, str)}
    return head_parser(build, template, build.framing.Framing(settings.limit_request_body), settings)


# The strict client

