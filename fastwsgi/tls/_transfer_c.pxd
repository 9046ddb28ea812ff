cimport cython

from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._meter_c cimport Meter
from fastwsgi.http._outbox_c cimport OutBuffer


@cython.final
cdef class Transfer:
    cdef Meter meter
    cdef object view  # what room() gave last ...
    cdef char *viewed  # ... which begins here ...
    cdef Py_ssize_t viewed_size  # ... and is so long

    cpdef Py_ssize_t read(self, int fd, Inbox inbox, Py_ssize_t most) except -9
    cpdef object arrived(self, Inbox inbox, Py_ssize_t count)
    cpdef object room(self, Inbox inbox, Py_ssize_t most)
    cpdef object stretch(self, OutBuffer out, Py_ssize_t at, Py_ssize_t most)
    cpdef Py_ssize_t send(self, int fd, bytes data, Py_ssize_t at) except -9
