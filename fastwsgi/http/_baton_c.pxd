cimport cython


@cython.final
cdef class Baton:
    cdef object held
    cdef public bint lost

    cpdef object put(self, object connection)
    cpdef object take(self)
    cpdef object look(self)
    cpdef bint holds(self, object connection)
