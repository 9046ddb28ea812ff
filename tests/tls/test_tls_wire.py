"""The bounds of TlsWire: memory, work in one turn, and what of a connection is seen from outside."""

from __future__ import annotations

import ctypes
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.settings.settings import Settings
from fastwsgi.tls.contexts import Tls
from tests.conftest import without_compiled
from tests.helpers.case_applications import APPS, App
from tests.helpers.case_player import check
from tests.helpers.cases import Case, all_cases
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, PATIENCE, answering, request, serving
from tests.helpers.tls_memory import TlsBench

MIB = 1 << 20


class Ends:
    """A TlsWire and its client, whose handshake is over."""

    def __init__(self, build: SimpleNamespace, pki: Pki) -> None:
        plain, transfer = build.sockio.SocketWire(), build.transfer.Transfer()
        self.wire = build.tls_wire.TlsWire(
            plain, transfer, Tls(Settings(**pki.settings)), build.client_hello.server_name, print
        )
        self.inbox = build.inbox.Inbox()
        self.socket, other = socket.socketpair()
        other.setblocking(False)
        self.socket.settimeout(PATIENCE)
        self.fd = other.detach()
        self.theirs, self.back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = pki.context().wrap_bio(self.theirs, self.back, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                assert self.wire.cannot_answer
                self.socket.sendall(self.back.read())
                assert self.wire.receive(self.fd, self.inbox, None) == -1
                assert self.wire.handshaking
                self.theirs.write(self.socket.recv(65536))
        self.socket.sendall(self.back.read())
        assert self.wire.receive(self.fd, self.inbox, None) == -1
        assert not self.wire.handshaking
        assert not self.wire.cannot_answer

    def encrypted(self, data: bytes) -> bytes:
        """*data* as the client sends it, in records of its choice."""
        for at in range(0, len(data), 16384):
            self.tls.write(data[at : at + 16384])
        return self.back.read()

    def close(self) -> None:
        self.wire.close(self.fd, False)
        self.socket.close()


@pytest.fixture
def ends(build: SimpleNamespace, pki: Pki) -> Iterator[Ends]:
    made = Ends(build, pki)
    yield made
    made.close()


def resident() -> int:
    """The most bytes resident since mark()."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def mark() -> int:
    """Begin to measure."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident()


@pytest.mark.measures_memory
def test_a_stalled_reader_costs_little_memory(build: SimpleNamespace, ends: Ends) -> None:
    """50 MB wait in the out-buffer as they are, not as ciphertext, and none of what waits counts as sent."""
    size = 50 * MIB
    out = build.outbox.OutBuffer()
    out.add(bytes(size))
    before = mark()
    left = ends.wire.send(ends.fd, out)
    assert left == out.size > 48 * MIB
    for _ in range(100):
        assert ends.wire.send(ends.fd, out) == left
    received = 0
    while received < size:
        ends.theirs.write(ends.socket.recv(65536))
        try:
            while chunk := ends.tls.read(65536):
                received += len(chunk)
        except ssl.SSLWantReadError:
            pass
        left = ends.wire.send(ends.fd, out)
        assert left >= 0
    assert out.size == left == 0
    assert resident() - before < 8 * MIB


def test_what_the_client_has_is_known_also_of_a_part(build: SimpleNamespace, ends: Ends) -> None:
    """Else a slow reader would make no progress for as long as one part takes."""
    out = build.outbox.OutBuffer()
    out.add(bytes(4 * MIB))
    ends.wire.send(ends.fd, out)
    sent = 4 * MIB - out.size
    taken = sent - ends.wire.unsent(ends.fd)
    for _ in range(20):
        ends.socket.recv(4096)
        ends.wire.send(ends.fd, out)
    assert 4 * MIB - out.size - ends.wire.unsent(ends.fd) > taken


def test_tickets_are_sent_behind_the_handshake(ends: Ends) -> None:
    """Else a client with Nagle's algorithm waits for the acknowledgement, 40 ms late, before it sends its request."""
    assert ends.socket.recv(65536, socket.MSG_DONTWAIT)


def test_all_that_was_received_is_decrypted_at_once(ends: Ends) -> None:
    """The poller sees the socket alone: nothing may stay behind in the TLS object."""
    data = bytes(range(256)) * 1024
    ends.socket.setblocking(False)
    ciphertext = ends.encrypted(data)
    got = b""
    while len(got) < len(data):
        try:
            ciphertext = ciphertext[ends.socket.send(ciphertext) :]
        except BlockingIOError:
            pass
        rest = bytes(65536)  # as much as is ever kept
        count = ends.wire.receive(ends.fd, ends.inbox, rest)
        if count > 0:
            ends.inbox.take(len(rest))
            got += ends.inbox.take(count)
    assert got == data
    assert ends.wire.receive(ends.fd, ends.inbox, None) == -1


def test_small_records_in_one_segment(ends: Ends) -> None:
    ends.socket.sendall(b"".join(ends.encrypted(bytes([byte])) for byte in range(200)))
    assert ends.wire.receive(ends.fd, ends.inbox, None) == 200
    assert ends.inbox.take(200) == bytes(range(200))


def test_a_record_in_pieces(ends: Ends) -> None:
    ciphertext = ends.encrypted(b"hello")
    for byte in ciphertext[:-1]:
        ends.socket.sendall(bytes([byte]))
        assert ends.wire.receive(ends.fd, ends.inbox, None) == -1
    ends.socket.sendall(ciphertext[-1:])
    assert ends.wire.receive(ends.fd, ends.inbox, b"so ") == 5
    assert ends.inbox.take(9) == b"so hello"


def test_close_notify_and_fin_are_ends(ends: Ends) -> None:
    ends.tls.write(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        ends.tls.unwrap()
    ends.socket.sendall(ends.back.read())
    assert ends.wire.receive(ends.fd, ends.inbox, None) == 4
    assert ends.wire.receive(ends.fd, ends.inbox, None) == 0


@pytest.mark.parametrize("sizes", [(), (5,), (100, 5000), (100, 16384, 7), (20000, 300, 20000), (70000,)])
@pytest.mark.parametrize("most", [1, 4096, 65536])
def test_stretches_are_the_whole_of_an_out_buffer(build: SimpleNamespace, sizes: tuple[int, ...], most: int) -> None:
    """Also where a part was sent and a head is in work."""
    out, transfer = build.outbox.OutBuffer(), build.transfer.Transfer()
    for number, size in enumerate(sizes):
        out.add(bytes([65 + number]) * size)
    out.begin("200 OK", [])
    out.sent(min(out.size, 3))
    found = bytearray()
    while piece := bytes(transfer.stretch(out, len(found), most)):
        assert len(piece) <= most
        found += piece
    assert found == out.peek()


def test_the_room_of_an_inbox_is_what_it_has_left(build: SimpleNamespace) -> None:
    inbox, other, transfer = build.inbox.Inbox(), build.inbox.Inbox(), build.transfer.Transfer()
    capacity = build.inbox.CAPACITY
    for one, held in ((inbox, 0), (other, 0), (inbox, 0), (inbox, capacity - 10), (other, capacity)):
        one.fill(bytes(held))
        room = transfer.room(one, 65536)
        assert len(room) == min(65536, capacity - held)
        room[:] = b"x" * len(room)
        assert transfer.arrived(one, 65536) == b"x" * len(room)
        one.fill(b"y")
        assert held or room[:2] == b"yx"


def test_a_broken_record_ends_it(ends: Ends) -> None:
    ciphertext = bytearray(ends.encrypted(b"hello"))
    ciphertext[-1] ^= 1
    ends.socket.sendall(ciphertext)
    assert ends.wire.receive(ends.fd, ends.inbox, None) == -2
    ends.theirs.write(ends.socket.recv(65536))
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        ends.tls.read(1)


def test_the_last_answer_carries_close_notify(build: SimpleNamespace, ends: Ends) -> None:
    out = build.outbox.OutBuffer()
    out.add(b"bye")
    ends.wire.last = True
    assert ends.wire.send(ends.fd, out) == 0
    ends.theirs.write(ends.socket.recv(65536))
    assert ends.tls.read(100) == b"bye"
    assert ends.tls.read(100) == b""


# A client that does more than ssl lets one do


def libssl() -> Any:
    """The library that this process has loaded."""
    (path,) = set(re.findall(r"\S*libssl\S*", Path("/proc/self/maps").read_text()))
    library = ctypes.CDLL(path)
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


class RawClient:
    """Calls OpenSSL itself."""

    def __init__(self, connected: socket.socket) -> None:
        self.library = libssl()
        self.context = ctypes.c_void_p(self.library.SSL_CTX_new(ctypes.c_void_p(self.library.TLS_client_method())))
        self.tls = ctypes.c_void_p(self.library.SSL_new(self.context))
        self.library.SSL_set_fd(self.tls, connected.fileno())
        connected.setblocking(True)
        assert self.library.SSL_connect(self.tls) == 1

    def update_keys(self) -> bool:
        """New keys (RFC 8446 4.6.3), and may the other side change its own; False when that cannot be sent."""
        return bool(self.library.SSL_key_update(self.tls, 1) == 1 and self.library.SSL_do_handshake(self.tls) == 1)

    def write(self, data: bytes) -> bool:
        return bool(self.library.SSL_write(self.tls, data, len(data)) == len(data))

    def read(self) -> bytes:
        buffer = ctypes.create_string_buffer(65536)
        count = self.library.SSL_read(self.tls, buffer, 65536)
        return buffer.raw[: max(0, count)]

    def free(self) -> None:
        self.library.SSL_free(self.tls)
        self.library.SSL_CTX_free(self.context)


def test_new_keys_now_and_then(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, answering(b"hello"), **pki.settings) as server, server.connect() as client:
        raw = RawClient(client.socket)
        for _ in range(5):
            assert raw.update_keys()
            assert raw.write(GET)
            assert raw.read().endswith(b"hello")
        raw.free()


def test_new_keys_without_end_end_the_connection(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, answering(b"hello"), **pki.settings) as server, server.connect() as client:
        raw = RawClient(client.socket)
        count = 0
        while raw.update_keys():
            count += 1
            assert count < 100_000
        raw.free()
        assert server.connections() == 0
        with pki.connect(server.address) as other:
            assert other.send(GET).answer().body == b"hello"


@pytest.mark.measures_memory
def test_connections_leave_nothing(build: SimpleNamespace, pki: Pki) -> None:
    """File descriptors and memory, also of handshakes that fail."""
    with serving(build, answering(b"hello"), **pki.settings) as server:

        def many(count: int) -> None:
            assert server.connections() == 0
            for number in range(count):
                if number % 2:
                    with server.connect() as client:
                        client.send(b"\x16\x03\x01\0\x04\x01\0\0\0").rest()
                else:
                    with pki.connect(server.address, context) as client:
                        client.send(request(fields=[("Connection", "close")])).answer()
            assert server.connections() == 0

        context = pki.context()
        many(40)
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        before = mark()
        many(60)
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        assert resident() - before < MIB


# The cases of http_cases, through TLS

CASES = [pytest.param(case, id=f"{theme}: {case.name}") for theme, case in all_cases()]


@pytest.mark.parametrize("name", ["c", "py"])
@pytest.mark.parametrize("case", CASES)
def test_http_case(name: str, case: Case, pki: Pki) -> None:
    if name == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    app = App(APPS[case.app])
    bench = TlsBench(backend.build(name), app, pki, **case.settings)
    check(case, "whole", bench, app)
    for client in bench.clients.values():
        client.socket.close()  # type: ignore[attr-defined]
