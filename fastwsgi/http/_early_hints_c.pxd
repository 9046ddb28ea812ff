cimport cython

# The modules: early_hints.py imports these classes by name for the type checker
from fastwsgi.http cimport _exchange_c


cdef int OPEN


@cython.final
cdef class EarlyHints:
    cdef public _exchange_c.Exchange exchange

    @cython.locals(hints=EarlyHints)
    cdef EarlyHints of(self, _exchange_c.Exchange exchange)
