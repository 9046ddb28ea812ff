cimport cython

from fastwsgi.http._exchange_c cimport Exchange as CExchange


@cython.final
cdef class EarlyHints:
    cdef public CExchange exchange

    @cython.locals(hints=EarlyHints)
    cdef EarlyHints of(self, CExchange exchange)
