cimport cython
from cpython.ref cimport PyObject

cdef enum:
    KNOWN = 64  # names

cdef struct Name:
    PyObject *text  # which the buffer owns; NULL: no name
    int kind


@cython.final
cdef class OutBuffer:
    cdef char *data
    cdef Py_ssize_t capacity
    cdef Py_ssize_t start, end  # data[start:end] is not sent yet
    cdef Py_ssize_t head  # where the unfinished head begins; -1 if there is none
    cdef bytes big  # a piece too big to copy, which is sent ...
    cdef Py_ssize_t big_start  # ... from this byte on ...
    cdef Py_ssize_t big_at  # ... between data[start:big_at] and data[big_at:end]
    cdef readonly Py_ssize_t size
    cdef readonly int code
    cdef readonly long long length
    cdef readonly bint close
    cdef bint has_date, has_server
    cdef Name[KNOWN] known  # names that were checked. Most applications give the same objects each time

    cdef Py_ssize_t sendable(self) noexcept
    cdef inline char *room(self, Py_ssize_t count) except NULL:
        """Where to write the next *count* bytes; the caller moves *end*."""
        if self.end + count > self.capacity:
            self.grow(self.end + count)
        return self.data + self.end

    cdef int grow(self, Py_ssize_t wanted) except -1
    cdef int kind_of(self, object name) except -1
    cdef int add_field(self, object item) except -1
    cdef bint note(self, int kind, str name, str value, const unsigned char *text, Py_ssize_t size) except -1
    cpdef object begin(self, object status, object headers)
    cpdef object finish(self, long long length, bint chunked, str connection, bytes server, bytes date)
    cpdef object drop_head(self)
    cpdef object add(self, bytes data)
    cpdef object add_chunk(self, bytes data)
    cpdef bytes peek(self)
    cpdef list behind(self, Py_ssize_t count)
    cpdef object cut(self, Py_ssize_t count)
    cdef void shrink(self) noexcept
    cpdef object sent(self, Py_ssize_t count)
