"""The baton, in C; its pure twin, _baton_py.py, is the specification.

Nothing here lets go of the GIL in the middle, so no step can be divided; only the monitor, which has no GIL, may change
the stage of a call, from HELD_BACK to GIVEN_UP: so that changes by atomic operations alone.
"""

cdef extern from *:
    """
    #define swap_stage(at, stage) __atomic_exchange_n(at, stage, __ATOMIC_SEQ_CST)
    #define advance_stage(at, before, after) __sync_bool_compare_and_swap(at, before, after)
    """
    int swap_stage(volatile int *, int)
    bint advance_stage(volatile int *, int, int)


cdef class Baton:
    """Holds one connection or none; of several who take it at once, one gets it."""

    cpdef object put(self, object connection, int fd):
        self.held = connection
        self.given_up = False
        self.call.fd = fd
        swap_stage(&self.call.stage, HELD_BACK if fd >= 0 else BEGUN)

    cpdef object take(self):
        if self.call.stage != NO_CALL and swap_stage(&self.call.stage, NO_CALL) == GIVEN_UP:
            self.given_up = True
        held, self.held = self.held, None
        return held

    cpdef bint begin_head(self) except -1:
        if self.call.stage == HELD_BACK and advance_stage(&self.call.stage, HELD_BACK, BEGUN):
            return True
        return self.call.stage != GIVEN_UP and not self.given_up

    cpdef object look(self):
        return self.held

    cpdef bint holds(self, object connection):
        return self.held is connection
