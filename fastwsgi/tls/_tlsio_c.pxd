from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._outbox_c cimport OutBuffer
from fastwsgi.http._wire_c cimport Wire


cdef class TlsWire(Wire):
    cdef Wire plain
    cdef readonly object tls
    cdef object refused
    cdef readonly str host
    cdef readonly int stage
    cdef bytes hello, held
    cdef Py_ssize_t held_at, covered, barren
    cdef int unanswered
    cdef bint ended, ending, owing
    cdef object tls_object, incoming, outgoing
    cdef object read, write, feed, fetch  # methods of these
    cdef dict facts

    cdef Py_ssize_t begin(self) except -9
    cdef Py_ssize_t decrypt(self, int fd, Inbox inbox, const char *data, Py_ssize_t size) except -9
    cdef object shake_hands(self)
    cdef object read_all(self, Inbox inbox)
    cdef Py_ssize_t go_on(self, int fd, Py_ssize_t size, bint opening) except -9
    cdef Py_ssize_t fail(self, int fd, error) except -9
    cdef Py_ssize_t lose(self, reason) except -9
    cdef object retire(self)
    cdef bint encrypt(self, OutBuffer out) except -1
    cdef object end(self)
    cdef bint encrypt_part(self, const char *data, Py_ssize_t size) except -1
    cdef Py_ssize_t push(self, int fd) except -9
    cdef object say_end(self, int fd)
    cpdef object describe(self, dict environ)
