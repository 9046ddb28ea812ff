cimport cython
from libc.stdint cimport uint64_t

# The modules: head.py imports these classes by name for the type checker
from fastwsgi.http cimport _framing_c, _inbox_c, _lines_c, _scanner_c


@cython.final
cdef class Template:
    cdef public dict environ
    cdef tuple own
    cdef public bytes fields
    cdef public int enough
    # What the scanner knows of the fields
    cdef uint64_t seen
    cdef int repeated
    cdef _lines_c.Fields read

    cdef int add(self, dict facts) except -1
    cdef int forget_fields(self, dict plain) except -1


@cython.final
cdef class HeadParser:
    cdef public dict template
    cdef public object limits
    cdef public _framing_c.Framing framing
    cdef public _scanner_c.Scanner scanner
    cdef public str root_path
    cdef public str underscores
    cdef public dict environ
    cdef public bytes name
    cdef public bint is_head
    cdef public int version
    cdef public long long body_length
    cdef public bint keep_alive
    cdef public bint expect_continue
    cdef public bint is_https
    cdef bytes _target
    cdef list _fields
    cdef object _key_of

    cpdef Template new_template(self)
    cdef dict _begin_environ(self, Template template)
    cpdef bint parse(self, _inbox_c.Inbox inbox, Template template) except -1
    cpdef object examine(self, _inbox_c.Inbox inbox)
    cpdef bint _parse_any(self, _inbox_c.Inbox inbox, Template template) except -1
