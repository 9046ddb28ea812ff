"""The guard of a loop, in C; its pure twin, _guard_py.py, is the specification.

What the compiled modules call on the way of each request is inline in _guard_c.pxd. The mutex is the interpreter's: a
thread that waits for it does not hold up a garbage collection, and gets it after a millisecond at the latest.
"""


cdef class Guard:
    """What one thread at a time has, of those that serve a loop; nothing where there is a GIL."""

    cpdef bint try_to_take(self):
        return guard_try(&self.lock)

    cpdef bint let_go(self):
        return guard_leave(&self.lock)

    cpdef bint is_ours(self):
        return guard_has(&self.lock)

    cpdef Held held(self):
        return Held(self)

    cpdef GivenUp given_up(self):
        return GivenUp(self)

    cpdef object renew(self):
        guard_renew(&self.lock)


cdef class Held:
    """The guard, inside a block."""

    def __cinit__(self, Guard guard not None):
        self.guard = guard

    def __enter__(self):
        self.taken = self.guard.take_back()

    def __exit__(self, kind, error, trace):
        if self.taken:
            self.guard.give_up()


cdef class GivenUp:
    """No guard, inside a block."""

    def __cinit__(self, Guard guard not None):
        self.guard = guard

    def __enter__(self):
        self.left = self.guard.let_go()

    def __exit__(self, kind, error, trace):
        if self.left:
            self.guard.take_back()
