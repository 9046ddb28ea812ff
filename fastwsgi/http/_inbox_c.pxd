cimport cython


@cython.final
cdef class Inbox:
    cdef char *data
    cdef readonly Py_ssize_t start, end

    cpdef Py_ssize_t available(self)
    cpdef object fill(self, bytes data)
    cpdef bytes peek(self, Py_ssize_t count)
    cpdef bytes take(self, Py_ssize_t count)
    cpdef bytes since(self, Py_ssize_t mark)
    cpdef Py_ssize_t head_size(self, Py_ssize_t skipped)
    cpdef bint has_bare_line_end(self, Py_ssize_t skipped)
