cimport cython

from fastwsgi.http._head_c cimport HeadParser, Template
from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._lines_c cimport FieldLine, FieldName, Fields, RequestLine


@cython.final
cdef class Scanner:
    cdef Py_ssize_t max_line, max_field, max_fields, max_head
    cdef long long max_body
    cdef RequestLine *request_lines
    cdef FieldLine *field_lines
    cdef FieldName *names

    cpdef bint scan(self, Inbox inbox, HeadParser head, Template template) except -1
    cdef const char *read_fields(self, dict environ, Fields *read, const char *at, const char *end) except? NULL
    cdef int note(self, Template template, const char *at, Py_ssize_t size) except -1
    cdef int shorten(self, Template template, HeadParser head, const char *at, const char *end) except -1
    cdef int keep(self, Template template, const char *at, Py_ssize_t size) except -1
