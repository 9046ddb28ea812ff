cimport cython

# The modules: tls_wire.py imports these classes by name for the type checker
from fastwsgi.http cimport _inbox_c, _outbox_c, _wire_c
from fastwsgi.tls cimport _transfer_c


cdef Py_ssize_t WOULD_BLOCK, LOST, MUST_WRITE, REFUSED, NOT_TLS
cdef Py_ssize_t READ_SIZE, CHUNK, BARREN, HANDSHAKE, WEIGHT_OPENING, WEIGHT_OPEN
cdef int UNANSWERED, WANT_READ
cdef int NEW, HELLO, OPENING, OPEN, PLAIN, OVER


@cython.final
cdef class Engine:
    cdef object direct, tls_object, incoming, outgoing
    cdef object handshake, read, write, feed, fetch, end
    cdef Py_ssize_t most_in, most_out


cdef class TlsWire(_wire_c.Wire):
    cdef _wire_c.Wire plain
    cdef _transfer_c.Transfer transfer
    cdef object tls, server_name, refused
    cdef int stage
    cdef bytes hello, held
    cdef str host
    cdef Engine engine
    cdef Py_ssize_t held_at, covered, barren
    cdef int unanswered
    cdef bint owing, ended, ending
    cdef dict facts

    cdef object _enter(self, int stage)
    @cython.locals(engine=Engine, count=cython.Py_ssize_t)
    cpdef Py_ssize_t receive(self, int fd, _inbox_c.Inbox inbox, bytes rest) except -9
    cpdef Py_ssize_t receive_into(self, int fd, _inbox_c.Inbox inbox, _inbox_c.Room room) except -9
    @cython.locals(hello=bytes)
    cdef Py_ssize_t _greet(self, int fd, _inbox_c.Inbox inbox, object data) except -9
    @cython.locals(before=cython.Py_ssize_t, handshaking=cython.bint)
    cdef Py_ssize_t _decrypt(self, Engine engine, int fd, _inbox_c.Inbox inbox, object data) except -9
    @cython.locals(count=cython.Py_ssize_t)
    cdef object _read(self, Engine engine, _inbox_c.Inbox inbox)
    @cython.locals(word=cython.Py_ssize_t)
    cdef Py_ssize_t _go_on(self, Engine engine, int fd, Py_ssize_t size, bint handshaking) except -9
    @cython.locals(handshaking=cython.bint)
    cdef Py_ssize_t _fail(self, Engine engine, int fd, object error) except -9
    cdef Py_ssize_t _lose(self, object reason) except -9
    cdef object _retire(self)
    @cython.locals(engine=Engine, word=cython.Py_ssize_t)
    cpdef Py_ssize_t send(self, int fd, _outbox_c.OutBuffer out) except -9
    @cython.locals(size=cython.Py_ssize_t, count=cython.Py_ssize_t)
    cdef bint _encrypt(self, Engine engine, _outbox_c.OutBuffer out) except -1
    @cython.locals(count=cython.Py_ssize_t)
    cdef Py_ssize_t _push(self, Engine engine, int fd) except -9
    cpdef Py_ssize_t send_file(self, int fd, int file, long long offset, long long count) except -9
    cpdef Py_ssize_t unsent(self, int fd) except? -1
    cpdef int presence(self, int fd) except -9
    @cython.locals(engine=Engine, base=cython.Py_ssize_t)
    cpdef Py_ssize_t weight(self) except -1
    cpdef object finish(self, int fd)
    @cython.locals(engine=Engine)
    cdef object _say_end(self, int fd)
    cdef object _end(self, Engine engine)
    cpdef object cut(self, int fd)
    cpdef object close(self, int fd, bint reset)
    cpdef dict describe(self)
