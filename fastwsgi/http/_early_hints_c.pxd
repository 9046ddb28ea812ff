cimport cython

# The modules: early_hints.py imports these classes by name for the type checker
from fastwsgi.http cimport _exchange_c, _outbox_c, _presence_c, _service_c


cdef int OPEN
cdef object GONE


@cython.final
cdef class EarlyHints:
    cdef public _presence_c.Presence presence
    cdef readonly _service_c.Service service

    @cython.locals(hints=EarlyHints)
    cdef EarlyHints of(self, _presence_c.Presence presence)
    cdef _exchange_c.Exchange _served(self)
    @cython.locals(out=_outbox_c.OutBuffer)
    cdef object _send(self, _exchange_c.Exchange exchange, headers)
