"""TLS over a non-blocking socket as a Wire, in C; its pure twin, _tlsio_py.py, is the specification.

Of OpenSSL only what Python's `ssl` offers is used. Its objects are called with views of the buffers where these are
long, and with copies where a view would cost more.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Update
from libc.errno cimport EAGAIN, EINTR, errno

from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._outbox_c cimport OutBuffer
from fastwsgi.http._wire_c cimport Wire

from fastwsgi.tls.client_hello import is_http, is_record, server_name

cdef extern from *:
    """
    #include <sys/types.h>
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    """
    int MSG_NOSIGNAL
    ssize_t recv(int, void *, size_t, int) nogil
    ssize_t send(int, const void *, size_t, int) nogil

cdef extern from "Python.h":
    object PyMemoryView_FromMemory(char *, Py_ssize_t, int)
    int PyBUF_READ, PyBUF_WRITE

cdef enum:
    INBOX_SIZE = 131072  # what the receive buffer holds
    COPIED = 4096  # bytes; a copy of fewer costs less than a view
    # As in _wire_py.py
    WOULD_BLOCK = -1
    LOST = -2
    MUST_WRITE = -3
    REFUSED = -4
    NOT_TLS = -5
    # As in _tlsio_py.py
    READ_SIZE = 32826
    RECORD = 18437
    CHUNK = 65536
    UNANSWERED = 64
    BARREN = 2 * RECORD
    HANDSHAKE = 262144
    WANT_READ = 2
    NEW = 0
    OPENING = 1
    OPEN = 2
    PLAIN = 3
    OVER = 4


cdef inline object passed(const char *data, Py_ssize_t size):
    """The bytes for a call that only reads them, before it returns."""
    if size <= COPIED:
        return PyBytes_FromStringAndSize(data, size)
    return PyMemoryView_FromMemory(<char *>data, size, PyBUF_READ)


cdef char *viewed = NULL
cdef object view = None


cdef object view_of(char *data, Py_ssize_t size):
    """Where plaintext goes: nearly always the beginning of the same inbox, so the last view of a whole CHUNK is kept."""
    global viewed, view
    if size < CHUNK:
        return PyMemoryView_FromMemory(data, size, PyBUF_WRITE)
    if data != viewed:
        view = PyMemoryView_FromMemory(data, size, PyBUF_WRITE)
        viewed = data
    return view


cdef class TlsWire(Wire):
    """The server's side of one TLS connection."""

    def __cinit__(self, Wire plain not None, tls, refused):
        self.plain = plain
        self.tls = tls
        self.refused = refused
        self.mute = True
        self.host = ""

    cpdef Py_ssize_t receive(self, int fd, Inbox inbox, bytes rest) except -9:
        cdef Py_ssize_t word, count
        inbox.start = inbox.end = 0
        if rest is not None:
            inbox.fill(rest)
        if self.owing:
            word = self.push(fd)
            if word < 0:
                return word
        if self.ended:
            return 0
        # The ciphertext lies where the plaintext will: the TLS object has taken it before it gives that
        count = recv(fd, inbox.data + inbox.end, min(READ_SIZE, INBOX_SIZE - inbox.end), 0)
        if count < 0:
            if errno == EAGAIN or errno == EINTR:
                return WOULD_BLOCK
            return self.lose("the connection was lost")
        if count == 0:
            return 0 if self.stage >= OPEN else self.lose("the client has closed the connection")
        if self.stage == OPENING or self.stage == OPEN:
            return self.decrypt(fd, inbox, inbox.data + inbox.end, count)
        if self.stage != NEW:
            return count
        self.hello = (self.hello or b"") + PyBytes_FromStringAndSize(inbox.data + inbox.end, count)
        word = self.begin()
        if word < 0:
            return word
        hello, self.hello = self.hello, None
        return self.decrypt(fd, inbox, PyBytes_AS_STRING(hello), PyBytes_GET_SIZE(hello))

    cdef Py_ssize_t begin(self) except -9:
        if not is_record(self.hello):
            if not is_http(self.hello):
                return self.lose("not TLS")
            self.stage = PLAIN
            self.mute = False
            return NOT_TLS
        self.opening = True
        host = server_name(self.hello)
        if host is None:
            return WOULD_BLOCK
        self.host = host
        self.tls_object, self.incoming, self.outgoing = self.tls.wrap(host)
        # Python's SSLObject hands these calls on to one in C; where that cannot be had, it is called itself
        direct = getattr(self.tls_object, "_sslobj", self.tls_object)
        self.read, self.write = direct.read, direct.write
        self.feed, self.fetch = self.incoming.write, self.outgoing.read
        self.stage = OPENING
        return 0

    cdef Py_ssize_t decrypt(self, int fd, Inbox inbox, const char *data, Py_ssize_t size) except -9:
        cdef Py_ssize_t before = inbox.end
        cdef bint opening = self.stage == OPENING
        self.feed(passed(data, size))
        try:
            if opening:
                self.shake_hands()
            if not opening or self.incoming.pending:
                self.read_all(inbox)
        except OSError as error:
            if error.errno != WANT_READ:
                return self.fail(fd, error)
        if inbox.end == before:
            return self.go_on(fd, size, opening)
        self.barren = 0
        self.unanswered += 1
        if self.unanswered == UNANSWERED:
            self.unanswered = 0
            self.owing = self.outgoing.pending > 0
        return inbox.end - before

    cdef object shake_hands(self):
        self.tls_object.do_handshake()
        self.stage = OPEN
        self.mute = self.opening = False

    cdef object read_all(self, Inbox inbox):
        cdef Py_ssize_t count
        while True:
            count = self.read(CHUNK, view_of(inbox.data + inbox.end, min(CHUNK, INBOX_SIZE - inbox.end)))
            if count == 0:
                self.ended = True
                return
            inbox.end += count
            if not self.incoming.pending:
                return

    cdef Py_ssize_t go_on(self, int fd, Py_ssize_t size, bint opening) except -9:
        cdef Py_ssize_t word
        self.barren += size
        if self.barren > (BARREN if self.stage == OPEN else HANDSHAKE):
            return self.lose("too much is said to no end")
        if opening and self.stage == OPEN and self.tls_object.version() == "TLSv1.3":
            return WOULD_BLOCK
        word = self.push(fd)
        return word if word < 0 else 0 if self.ended else WOULD_BLOCK

    cdef Py_ssize_t fail(self, int fd, error) except -9:
        cdef bint opening = self.opening
        self.push(fd)
        self.lose(str(getattr(error, "reason", None) or "not understood").replace("_", " ").lower())
        return REFUSED if opening else LOST

    cdef Py_ssize_t lose(self, reason) except -9:
        if self.stage < OPEN and (self.hello or self.stage == OPENING):
            self.refused(f"TLS: {reason}")
        self.retire()
        return LOST

    cdef object retire(self):
        self.stage = OVER
        self.mute = True
        self.opening = self.owing = False
        self.read = self.write = self.feed = self.fetch = None
        self.tls_object = self.incoming = self.outgoing = None
        self.held = self.hello = None

    cpdef Py_ssize_t send(self, int fd, OutBuffer out) except -9:
        cdef Py_ssize_t word
        if self.stage == PLAIN:
            return self.plain.send(fd, out)
        if self.stage != OPEN:
            return LOST
        while True:
            if self.owing:
                word = self.push(fd)
                if word < 0:
                    return out.size if word == MUST_WRITE else LOST
                if self.covered:
                    out.sent(self.covered)
                    self.covered = 0
            if out.size == 0:
                return 0
            if not self.encrypt(out):
                return LOST

    cdef bint encrypt(self, OutBuffer out) except -1:
        self.owing = True
        self.unanswered = 0
        try:
            if out.big is None:
                self.encrypt_part(out.data + out.start, out.sendable() - out.start)
            else:
                self.encrypt_part(out.data + out.start, out.big_at - out.start)
                self.encrypt_part(
                    PyBytes_AS_STRING(out.big) + out.big_start, PyBytes_GET_SIZE(out.big) - out.big_start
                )
                self.encrypt_part(out.data + out.big_at, out.sendable() - out.big_at)
        except OSError:
            return False
        if self.last and self.covered == out.size:
            self.end()
        return True

    cdef object end(self):
        self.ending = True
        try:
            self.tls_object.unwrap()
        except OSError:
            pass  # the client's is not there, and not waited for

    cdef bint encrypt_part(self, const char *data, Py_ssize_t size) except -1:
        """As much of *size* bytes as CHUNK allows."""
        cdef Py_ssize_t count
        size = min(size, CHUNK - self.covered)
        while size > 0:
            count = self.write(passed(data, size))  # at most a record
            data += count
            size -= count
            self.covered += count
        return True

    cdef Py_ssize_t push(self, int fd) except -9:
        cdef Py_ssize_t count, size
        if self.held is None:
            self.held = self.fetch()
            self.held_at = 0
        elif self.outgoing.pending:
            self.held = self.held[self.held_at :] + self.fetch()
            self.held_at = 0
        size = PyBytes_GET_SIZE(self.held)
        while self.held_at < size:
            count = send(fd, PyBytes_AS_STRING(self.held) + self.held_at, size - self.held_at, MSG_NOSIGNAL)
            if count < 0:
                self.owing = True
                return MUST_WRITE if errno == EAGAIN or errno == EINTR else LOST
            self.held_at += count
        self.held = None
        self.held_at = 0
        self.owing = False
        return 0

    cpdef Py_ssize_t send_file(self, int fd, int file, long long offset, long long count) except -9:
        raise NotImplementedError

    cpdef Py_ssize_t unsent(self, int fd) except? -1:
        return self.plain.unsent(fd) - self.held_at

    cpdef object finish(self, int fd):
        if self.stage == OPEN:
            self.say_end(fd)
        self.retire()
        self.plain.finish(fd)

    cdef object say_end(self, int fd):
        if self.held is None and not self.ending:
            self.end()
            self.push(fd)

    cpdef object cut(self, int fd):
        self.plain.cut(fd)

    cpdef object close(self, int fd, bint reset):
        if self.opening:
            self.lose("not finished")
        if self.stage == OPEN and not reset:
            self.say_end(fd)
        self.retire()
        self.plain.close(fd, reset)

    cpdef object describe(self, dict environ):
        if self.facts is None:
            self.facts = self.tls.describe(self.tls_object, self.host)
        PyDict_Update(environ, self.facts)
