cimport cython

# The modules: early_hints.py imports these classes by name for the type checker
from fastwsgi.http cimport _exchange_c, _presence_c


cdef str OPEN
cdef object GONE


@cython.final
cdef class EarlyHints:
    cdef public _presence_c.Presence presence

    @cython.locals(hints=EarlyHints)
    cdef EarlyHints of(self, _presence_c.Presence presence)
    cdef _exchange_c.Exchange _served(self)
