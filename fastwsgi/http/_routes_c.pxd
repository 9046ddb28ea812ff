cimport cython


@cython.final
cdef class Routes:
    cdef dict targets
    cdef object files
    cdef Py_ssize_t shortest, longest

    @cython.locals(path=str)
    cdef object find(self, dict environ, double now)
