"""Clients in one process: many connections, on each a batch of requests after the other, whose answers are compared.

Batches are sent whole or in pieces, between which the others go on. Connections are ended by either side at the end of
a batch, by the client's half, or in the middle, which leaves the fate of what was sent open.
"""

from __future__ import annotations

import random
import re
import select
import socket
import ssl
import struct
import time
from collections import Counter
from email.utils import formatdate
from typing import Any

from ci.answering.questions import DATE, Batch

FOUND_DATE = re.compile(rb"Date: [^\r\n]{29}")
SIZES = (64, 64, 64, 64, 48, 8, 2, 1)  # of batches
PATIENCE = 60.0  # seconds in which something must come
LATE = 5  # seconds that a date may be old: loops renew it each second, when they are not held up
ENDS = {"kept": 900, "client": 40, "server": 25, "half": 15, "cut": 10, "reset": 10}  # of 1000 batches
OPEN, SURE, MAYBE = 0, 1, 2  # fates
WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wrong(Exception):
    """An answer is not the one that is due."""


class Talk:
    """One connection at a time, and the batch that it is at."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.random = clients.random
        self.socket: socket.socket | None = None
        self.batch: Batch
        self.numbers: range
        self.pieces: list[bytes] = []  # that are to be sent
        self.got = bytearray()
        self.end = "kept"
        self.began = self.heard = 0.0

    def ask(self) -> bool:
        """Begin with the next batch; False if there is none."""
        self.numbers = self.clients.take(self.random.choice(SIZES))
        if not self.numbers:
            self.leave()
            return False
        if self.socket is None:
            self.connect()
        self.end = self.random.choices(list(ENDS), list(ENDS.values()))[0]
        self.batch = Batch(self.numbers, self.end == "server")
        self.pieces = self.cut(self.batch.request)
        self.got.clear()
        self.began = self.heard = time.time()
        self.send()
        return True

    def connect(self) -> None:
        self.socket = socket.create_connection(self.clients.address, PATIENCE)
        if self.clients.tls is not None:
            self.socket = self.clients.tls.wrap_socket(self.socket)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.talks[self.socket.fileno()] = self
        self.clients.poll.register(self.socket, select.EPOLLIN)
        self.clients.counts["connections"] += 1

    def cut(self, data: bytes) -> list[bytes]:
        """In the pieces in which it is sent."""
        if self.end == "cut":
            data = data[: self.random.randrange(len(data))]
        if self.random.random() < 0.7:
            return [data]
        places = sorted(self.random.sample(range(len(data)), min(len(data), self.random.choice((1, 3, 12)))))
        return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)])]

    def send(self) -> None:
        """Send one piece, or as much of it as goes."""
        assert self.socket is not None
        if self.pieces:
            try:
                sent = self.socket.send(self.pieces[0])
            except WAIT:
                sent = 0
            except (BrokenPipeError, ConnectionResetError):
                raise self.wrong("the connection ends before all is sent") from None
            if sent == len(self.pieces[0]):
                del self.pieces[0]
            else:
                self.pieces[0] = self.pieces[0][sent:]
        if self.pieces:
            self.clients.sending.append(self)
        elif self.end == "half" and self.clients.tls is None:
            self.socket.shutdown(socket.SHUT_WR)
        elif self.end in ("cut", "reset"):
            self.break_off()

    def break_off(self) -> None:
        """Leave without a look at the answers."""
        assert self.socket is not None
        if self.end == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.clients.settle(self, MAYBE)
        self.leave()
        self.ask()

    def leave(self) -> None:
        if self.socket is not None:
            del self.clients.talks[self.socket.fileno()]
            self.socket.close()
            self.socket = None

    def hear(self) -> None:
        """Something has come."""
        assert self.socket is not None
        closes = self.end == "server" or (self.end == "half" and self.clients.tls is None)
        try:
            while data := self.socket.recv(1 << 18):
                self.heard = time.time()
                self.got += data
                if self.clients.tls is None:
                    break
        except WAIT:
            data = b"more to come"
        except ConnectionResetError:
            data = b""
        is_whole = len(self.got) >= len(self.batch.answer)
        if is_whole and not (closes and data):
            self.finish()
        elif not data:
            raise self.wrong("the connection ends")

    def finish(self) -> None:
        """All has come that is due: compare, and go on."""
        got = bytes(self.got)
        dates = set(FOUND_DATE.findall(got))
        plain = FOUND_DATE.sub(DATE, got)
        if plain != self.batch.answer:
            raise Wrong(self.batch.wrong(plain))
        known = {b"Date: " + formatdate(second, usegmt=True).encode() for second in self.seconds()}
        if not dates <= known:
            raise Wrong(f"dates {dates - known} at {formatdate(time.time(), usegmt=True)}")
        self.clients.settle(self, SURE)
        if self.end != "kept":
            self.leave()
        self.ask()

    def seconds(self) -> range:
        """Those that a date may tell."""
        return range(int(self.began) - LATE, int(time.time()) + 2)

    def wrong(self, what: str) -> Wrong:
        plain = FOUND_DATE.sub(DATE, bytes(self.got))
        return Wrong(f"{what} ({self.end}, {len(self.batch.questions)} requests): {self.batch.wrong(plain)}")


class Clients:
    """The connections of one process.

    Args:
        address: of the server.
        numbers: of the requests.
        connections: how many at a time.
        encrypted: by TLS.
    """

    def __init__(self, address: tuple[str, int], numbers: range, connections: int, encrypted: bool) -> None:
        self.address = address
        self.tls: ssl.SSLContext | None = None
        if encrypted:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.numbers = numbers
        self.next = numbers.start
        self.fates = bytearray(len(numbers))
        self.counts: Counter[str] = Counter()
        self.random = random.Random(numbers.start)
        self.poll = select.epoll()
        self.talks: dict[int, Talk] = {}
        self.sending: list[Talk] = []
        self.connections = connections

    def run(self) -> None:
        """Ask all. Raises Wrong."""
        for _ in range(self.connections):
            Talk(self).ask()
        while self.talks:
            sending, self.sending = self.sending, []
            for talk in sending:
                talk.send()
            ready = self.poll.poll(0.001 if self.sending else 1.0)
            for fd, _ in ready:
                if fd in self.talks:
                    self.talks[fd].hear()
            if not ready:
                self.look_for_silence()

    def look_for_silence(self) -> None:
        for talk in self.talks.values():
            if time.time() - talk.heard > PATIENCE:
                raise talk.wrong("nothing comes")

    def take(self, count: int) -> range:
        """The numbers of the next batch."""
        taken = range(self.next, min(self.next + count, self.numbers.stop))
        self.next = taken.stop
        return taken

    def settle(self, talk: Talk, fate: int) -> None:
        """Note what became of a batch."""
        numbers, start = talk.numbers, self.numbers.start
        self.fates[numbers.start - start : numbers.stop - start] = bytes([fate]) * len(numbers)
        name = "sure" if fate == SURE else "maybe"
        self.counts[name] += len(numbers)
        self.counts[f"{name} sent"] += len(talk.batch.request)
        self.counts[f"{name} received"] += len(talk.batch.answer)
        self.counts[f"{name} {talk.end}"] += 1
        for one in talk.batch.questions:
            self.counts[f"{name} {one.status}"] += 1
            if one.way == "raises":
                self.counts[f"{name} raised"] += 1


def talk(address: tuple[str, int], numbers: range, connections: int, encrypted: bool) -> dict[str, Any]:
    """Ask *numbers*: what became of them, and what was wrong."""
    clients = Clients(address, numbers, connections, encrypted)
    try:
        clients.run()
        wrong = ""
    except Wrong as error:
        wrong = str(error)
    return {"wrong": wrong, "fates": clients.fates, "counts": clients.counts}
