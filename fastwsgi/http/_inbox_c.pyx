"""The receive buffers: its pure twin, _inbox_py.py, is the specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcpy

cdef extern from "<string.h>" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

CAPACITY = 131072  # bytes: the longest head kept over, and 64 KiB read behind it

cdef enum:
    INBOX_SIZE = 131072
    GROWTH = 8  # times what has arrived: so much a Room reserves
    LEAST = 4096  # bytes that it reserves


cdef class Inbox:
    """Received bytes and how far they have been read: data[start:end] is unread."""

    def __cinit__(self):
        self.data = <char *>PyMem_Malloc(INBOX_SIZE)
        if self.data == NULL:
            raise MemoryError
        self.start = 0
        self.end = 0

    def __dealloc__(self):
        PyMem_Free(self.data)

    cpdef Py_ssize_t available(self):
        return self.end - self.start

    cpdef object fill(self, bytes data):
        if PyBytes_GET_SIZE(data) > INBOX_SIZE:
            raise ValueError("more than the receive buffer holds")
        memcpy(self.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.start = 0
        self.end = PyBytes_GET_SIZE(data)

    cpdef bytes peek(self, Py_ssize_t count):
        return PyBytes_FromStringAndSize(self.data + self.start, min(count, self.end - self.start))

    cpdef bytes take(self, Py_ssize_t count):
        cdef bytes data = self.peek(count)
        self.start += PyBytes_GET_SIZE(data)
        return data

    cpdef Room new_room(self, Py_ssize_t most):
        return Room.__new__(Room, most)

    cpdef bytes since(self, Py_ssize_t mark):
        return PyBytes_FromStringAndSize(self.data + mark, self.start - mark)

    cpdef Py_ssize_t head_size(self, Py_ssize_t skipped):
        cdef char *begin = self.data + self.start
        cdef char *at = <char *>memmem(begin + skipped, self.end - self.start - skipped, b"\r\n\r\n", 4)
        return at + 4 - begin if at != NULL else 0

    cpdef bint has_bare_line_end(self, Py_ssize_t skipped):
        cdef char *begin = self.data + self.start
        cdef char *end = self.data + self.end
        cdef char *at = begin + skipped
        while at < end:
            if at[0] == c'\n' and (at == begin or (at - 1)[0] != c'\r'):
                return True
            if at[0] == c'\r' and at + 1 < end and (at + 1)[0] != c'\n':
                return True
            at += 1
        return False


cdef class Room:
    """The bytes of a body that have arrived, in the bytes object that the application will read."""

    def __cinit__(self, Py_ssize_t most):
        self.most = most

    cdef int reserve(self, Py_ssize_t count) except -1:
        """Have room for *count* bytes more, which are within the most."""
        cdef Py_ssize_t needed = self.size + count
        cdef bytes larger
        if needed > self.reserved:
            larger = PyBytes_FromStringAndSize(NULL, min(self.most, max(LEAST, GROWTH * needed)))
            if self.size:
                memcpy(PyBytes_AS_STRING(larger), self.data, self.size)
            self.whole = larger
            self.data = PyBytes_AS_STRING(larger)
            self.reserved = PyBytes_GET_SIZE(larger)
        return 0

    cpdef bint is_full(self):
        return self.size >= self.most

    cpdef object take(self, Inbox inbox, Py_ssize_t count):
        count = min(count, min(self.most - self.size, inbox.end - inbox.start))
        if count > 0:
            self.reserve(count)
            memcpy(self.data + self.size, inbox.data + inbox.start, count)
            self.size += count
            inbox.start += count

    cpdef object add(self, bytes data):
        cdef Py_ssize_t count = PyBytes_GET_SIZE(data)
        if count > self.most - self.size:
            raise ValueError("more than there is room for")
        self.reserve(count)
        if count:
            memcpy(self.data + self.size, PyBytes_AS_STRING(data), count)
        self.size += count

    cpdef bytes contents(self):
        if self.whole is None:
            return b""
        return self.whole if self.size == self.reserved else self.whole[: self.size]
