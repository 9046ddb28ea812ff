from fastwsgi.http._head_c cimport HeadParser


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


cdef class Scanner:
    cdef object template
    cdef Py_ssize_t max_line, max_field, max_fields, max_head
    cdef long long max_body
    cdef void *targets
    cdef void *lines
    cdef void *names

    cpdef bint scan(self, Inbox inbox, HeadParser head) except -1
    cdef const char *read_fields(self, dict environ, HeadParser head, const char *at, const char *end) except? NULL
