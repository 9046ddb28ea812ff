"""The byte work of TLS, in C; its pure twin, _transfer_py.py, is the specification.

The TLS object is given views of long buffers, and copies of short ones, where a view would cost more.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno

from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._meter_c cimport RECEIVED, SENT, Meter
from fastwsgi.http._outbox_c cimport OutBuffer

cdef Py_ssize_t CAPACITY, LOST, WOULD_BLOCK

from fastwsgi.http._inbox_c import CAPACITY
from fastwsgi.http.transport import LOST, WOULD_BLOCK

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
    COPIED = 4096  # bytes; copying fewer costs less than a view


cdef inline object passed(const char *data, Py_ssize_t size):
    """The bytes for a call that only reads them, before it returns."""
    if size <= COPIED:
        return PyBytes_FromStringAndSize(data, size)
    return PyMemoryView_FromMemory(<char *>data, size, PyBUF_READ)


cdef inline Py_ssize_t verdict() noexcept:
    """What an errno means to a connection."""
    return WOULD_BLOCK if errno == EAGAIN or errno == EINTR else LOST


cdef class Transfer:
    """Moves the bytes of the TLS connections of one loop."""

    def __cinit__(self, Meter meter=None):
        self.meter = Meter() if meter is None else meter

    cpdef Py_ssize_t read(self, int fd, Inbox inbox, Py_ssize_t most) except -9:
        cdef Py_ssize_t count = recv(fd, inbox.data + inbox.end, min(most, CAPACITY - inbox.end), 0)
        if count < 0:
            return verdict()
        self.meter.words[RECEIVED] += count
        return count

    cpdef object arrived(self, Inbox inbox, Py_ssize_t count):
        return passed(inbox.data + inbox.end, min(count, CAPACITY - inbox.end))

    cpdef object room(self, Inbox inbox, Py_ssize_t most):
        """It is nearly always the beginning of the same inbox, so the last view is kept."""
        cdef char *data = inbox.data + inbox.end
        cdef Py_ssize_t size = min(most, CAPACITY - inbox.end)
        if data != self.viewed or size != self.viewed_size:
            self.view = PyMemoryView_FromMemory(data, size, PyBUF_WRITE)
            self.viewed = data
            self.viewed_size = size
        return self.view

    cpdef object stretch(self, OutBuffer out, Py_ssize_t at, Py_ssize_t most):
        cdef Py_ssize_t size = (out.sendable() if out.big is None else out.big_at) - out.start
        if at < size:
            return passed(out.data + out.start + at, min(most, size - at))
        at -= size
        if out.big is None:
            return b""
        size = PyBytes_GET_SIZE(out.big) - out.big_start
        if at < size:
            return passed(PyBytes_AS_STRING(out.big) + out.big_start + at, min(most, size - at))
        at -= size
        return passed(out.data + out.big_at + at, max(0, min(most, out.sendable() - out.big_at - at)))

    cpdef Py_ssize_t send(self, int fd, bytes data, Py_ssize_t at) except -9:
        cdef Py_ssize_t count = send(fd, PyBytes_AS_STRING(data) + at, PyBytes_GET_SIZE(data) - at, MSG_NOSIGNAL)
        if count < 0:
            return verdict()
        self.meter.words[SENT] += count
        return count
