cimport cython

cdef class Room

@cython.final
cdef class Inbox:
    cdef char *data
    cdef readonly Py_ssize_t start, end

    cpdef Py_ssize_t available(self)
    cpdef object fill(self, bytes data)
    cpdef bytes peek(self, Py_ssize_t count)
    cpdef bytes take(self, Py_ssize_t count)
    cpdef Room new_room(self, Py_ssize_t most)
    cpdef bytes since(self, Py_ssize_t mark)
    cpdef Py_ssize_t head_size(self, Py_ssize_t skipped)
    cpdef bint has_bare_line_end(self, Py_ssize_t skipped)


@cython.final
cdef class Room:
    cdef bytes whole
    cdef char *data
    cdef readonly Py_ssize_t size, most
    cdef Py_ssize_t reserved

    cdef int reserve(self, Py_ssize_t count) except -1
    cpdef bint is_full(self)
    cpdef object take(self, Inbox inbox, Py_ssize_t count)
    cpdef object add(self, bytes data)
    cpdef bytes contents(self)
