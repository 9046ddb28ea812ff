cimport cython
from cpython.ref cimport PyObject

from fastwsgi.http._exchange_c cimport Exchange


cdef struct Step:
    const char *literal  # before it
    Py_ssize_t size
    int op
    int at


@cython.final
cdef class Lines:
    cdef object full
    cdef list literals, calls, guards
    cdef tuple noted
    cdef bint json
    cdef bytes escape, missing  # as in Format
    cdef Step *steps
    cdef int count
    cdef double until
    cdef bytes stamp, iso
    cdef char *data
    cdef Py_ssize_t used, room
    cdef Py_ssize_t lines
    cdef Py_ssize_t hosts  # steps that write the client's address
    cdef Py_ssize_t bound  # the most bytes of a line besides its texts

    cpdef list note(self, dict environ)
    cpdef add(self, Exchange exchange)
    cpdef refuse(self, str host, int code)
    cpdef drain(self)
    cdef add_step(self, bytes literal, int op, int place)
    cdef bint must_call(self, list note) except -1
    cdef put(
        self, double now, str host, list note, int version, int code, long long sent, double spent, double queued,
        list texts
    )
    cdef int end_line(self, char *to) except -1
    cdef int reserve(self, Py_ssize_t size) except -1
    cdef char *copy(self, char *to, const char *data, Py_ssize_t size) noexcept
    cdef char *nothing(self, char *to) noexcept
    cdef char *request_line(self, char *to, list note, int at, int version) noexcept
    cdef char *version(self, char *to, int version, bint quoted) noexcept
    cdef char *iso_time(self, char *to, double now) noexcept
    cdef char *text(self, char *to, PyObject *text, bint as_path) noexcept
