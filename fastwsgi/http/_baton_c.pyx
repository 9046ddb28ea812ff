"""The baton, in C; its pure twin, _baton_py.py, is the specification.

Nothing here lets go of the GIL in the middle, so no step can be divided.
"""


cdef class Baton:
    """Holds one connection or none; of several who take it at once, one gets it."""

    cpdef object put(self, object connection):
        self.held = connection

    cpdef object take(self):
        held, self.held = self.held, None
        return held

    cpdef object look(self):
        return self.held

    cpdef bint holds(self, object connection):
        return self.held is connection
