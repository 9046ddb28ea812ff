cimport cython

from fastwsgi.http._head_c cimport HeadParser
from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._lines_c cimport FieldLine, FieldName, RequestLine


@cython.final
cdef class Scanner:
    cdef Py_ssize_t max_line, max_field, max_fields, max_head
    cdef long long max_body
    cdef RequestLine *request_lines
    cdef FieldLine *field_lines
    cdef FieldName *names

    cpdef bint scan(self, Inbox inbox, HeadParser head, dict template) except -1
    cdef const char *read_fields(
        self, dict environ, HeadParser head, Py_ssize_t entries, const char *at, const char *end
    ) except? NULL
