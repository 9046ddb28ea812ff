"""A Bench whose connections speak TLS, over pairs of sockets: for tests that were written without TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi import backend
from fastwsgi.settings.settings import Settings
from fastwsgi.tls.contexts import Tls
from tests.helpers.memory import Bench, Client
from tests.helpers.pki import Pki


@lru_cache
def noting_wire(build_name: str) -> type:
    """The TlsWire of a build, which tells its client what becomes of the connection."""

    class NotingWire(backend.build(build_name).tls_wire.TlsWire):  # type: ignore[misc]
        client: Any = None

        def finish(self, fd: int) -> None:
            super().finish(fd)
            self.client.finished = True

        def close(self, fd: int, reset: bool) -> None:
            super().close(fd, reset)
            self.client.closed, self.client.reset = True, reset

    return NotingWire


class TlsClient(Client):
    """What it sends is encrypted, and what it receives decrypted."""

    def __init__(self, bench: TlsBench, fd: int) -> None:
        super().__init__(bench, fd, None, True)
        context = bench.pki.context()
        self.theirs, self.back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.theirs, self.back, server_hostname="localhost")
        self.ours, self.socket = socket.socketpair()
        self.ours.setblocking(False)
        self.socket.setblocking(False)

    def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            for at in range(0, len(chunk), 16384):
                self.tls.write(chunk[at : at + 16384])
            self.deliver()

    def deliver(self) -> None:
        """Send the ciphertext, and let the server have it."""
        data = self.back.read()
        while data:
            try:
                data = data[self.socket.send(data) :]
            except (BlockingIOError, BrokenPipeError):
                if self.closed:
                    return
                self.bench.settle()
        self.bench.settle()
        self.receive()

    def receive(self) -> None:
        """Decrypt what came."""
        try:
            while data := self.socket.recv(1 << 20):
                self.theirs.write(data)
        except (BlockingIOError, ConnectionResetError):
            pass
        try:
            while data := self.tls.read(1 << 20):
                self.received += data
        except ssl.SSLWantReadError:
            pass

    def end(self) -> None:
        if not self.closed:
            self.socket.shutdown(socket.SHUT_WR)
            self.bench.settle()
            self.receive()


class TlsBench(Bench):
    """A Bench whose clients are at the other end of sockets."""

    pki: Pki

    def __init__(self, build: SimpleNamespace, app: Callable[..., Any], pki: Pki, **settings: Any) -> None:
        super().__init__(build, app, **settings)
        self.pki = pki
        self.tls = Tls(Settings(**pki.settings))
        self.plain, self.transfer = build.sockio.SocketWire(), build.transfer.Transfer()

    def connect(self, data: bytes = b"", capacity: int | None = None, prompt: bool = True) -> TlsClient:
        client = TlsClient(self, 0)
        client.fd = client.ours.detach()
        self.clients[client.fd] = client
        wire = noting_wire(self.build.name)(
            self.plain, self.transfer, self.tls, self.build.client_hello.server_name, print
        )
        wire.client = client
        reader = self.make_reader()
        client.connection = self.build.connection.Connection(
            self.service, reader, wire, self.build.pace.Pace(self.service), client.fd
        )
        for _ in range(3):
            try:
                client.tls.do_handshake()
            except ssl.SSLWantReadError:
                data_out = client.back.read()
                client.socket.sendall(data_out)
                client.connection.on_ready()
                client.theirs.write(client.socket.recv(1 << 20))
        if data:
            client.send(data)
        else:
            client.deliver()
        return client

    def _is_ready(self, client: Client) -> bool:
        event = "" if client.closed else self.loop.watched.get(client.fd)
        if not event:
            return False
        wanted = [client.fd] if event == "read" else []
        writing = [client.fd] if event == "write" else []
        return any(select.select(wanted, writing, [], 0))


def handshaken(tls: Tls, context: ssl.SSLContext, host: str = "localhost") -> ssl.SSLObject:
    """A client that has shaken hands, in memory, with a server of *tls* that it names *host*."""
    server, incoming, outgoing = tls.wrap(host)
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, forth, server_hostname=host)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            incoming.write(forth.read())
            back.write(outgoing.read())
    return client
