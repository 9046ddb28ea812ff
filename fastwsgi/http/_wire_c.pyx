"""What a connection needs of a transport, in C; its pure twin, _wire_py.py, is the specification."""

from fastwsgi.http._inbox_c cimport Inbox, Room
from fastwsgi.http._outbox_c cimport OutBuffer


cdef class Wire:
    """A transport; no method blocks, or raises for anything that a client did."""

    cpdef Py_ssize_t receive(self, int fd, Inbox inbox, bytes rest) except -9:
        raise NotImplementedError

    cpdef Py_ssize_t receive_into(self, int fd, Inbox inbox, Room room) except -9:
        return self.receive(fd, inbox, None)

    cpdef Py_ssize_t send(self, int fd, OutBuffer out) except -9:
        raise NotImplementedError

    cpdef Py_ssize_t send_file(self, int fd, int file, long long offset, long long count) except -9:
        raise NotImplementedError

    cpdef Py_ssize_t unsent(self, int fd) except? -1:
        raise NotImplementedError

    cpdef int presence(self, int fd) except -9:
        raise NotImplementedError

    cpdef Py_ssize_t weight(self) except -1:
        return 0

    cpdef object finish(self, int fd):
        raise NotImplementedError

    cpdef object cut(self, int fd):
        raise NotImplementedError

    cpdef object close(self, int fd, bint reset):
        raise NotImplementedError
