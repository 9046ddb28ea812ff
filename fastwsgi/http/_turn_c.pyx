"""The turn, in C; its pure twin, _turn_py.py, is the specification.

Nothing here releases the GIL, so each method is atomic to other threads. Only the monitor, which does not hold the GIL,
may interfere, by changing the stage of a call from HELD_BACK to ANSWERING, and from that to GIVEN_UP: so the stage
changes atomically where it may be HELD_BACK.
"""

cdef extern from *:
    """
    #include <sched.h>
    #define set_stage(at, stage) __atomic_store_n((int *)(at), stage, __ATOMIC_RELEASE)
    #define stage_of(at) __atomic_load_n((int *)(at), __ATOMIC_ACQUIRE)
    #define advance_stage(at, before, after) __sync_bool_compare_and_swap((int *)(at), before, after)
    """
    int sched_yield()
    void set_stage(watched_stage *, int)
    int stage_of(watched_stage *)
    bint advance_stage(watched_stage *, int, int)


cdef class CallCounter:
    """The number of application calls that the threads of one loop have begun and ended."""


cdef class Turn:
    """What a thread needs while it has the loop."""

    def __cinit__(self, Inbox inbox not None, OutBuffer out not None, CallCounter counter not None):
        self.inbox = inbox
        self.out = out
        self.counter = counter

    cpdef object part_with(self, OutBuffer out):
        if out is self.out and not self.lost:
            self.out = OutBuffer()

    cpdef object begin_call(self, object connection, int fd):
        self.held = connection
        self.given_up = False
        self.call.fd = fd
        self.call.connection = <void *>connection
        self.call.logged = False
        set_stage(&self.call.stage, HELD_BACK if fd >= 0 else BEGUN)
        if self.counter.meter is not None:
            self.counter.meter.begin_call(connection)
        count_call(&self.counter.number)
        if is_set(&self.counter.dozing) and self.counter.monitor is not None:
            self.counter.monitor.wake()

    cpdef bint end_call(self) except -1:
        if self.take() is None:
            self.lost = True
            return False
        if self.counter.meter is not None:
            self.counter.meter.end_call()
        count_call(&self.counter.number)
        return True

    cpdef bint begin_head(self) except -1:
        while self.call.stage == HELD_BACK or self.call.stage == ANSWERING:
            if advance_stage(&self.call.stage, HELD_BACK, BEGUN):
                return True
            sched_yield()  # until the monitor has sent its answer: the socket must not be closed before that
        return stage_of(&self.call.stage) != GIVEN_UP and not self.given_up  # and what the monitor wrote before that

    cdef bint was_given_up(self) noexcept:
        return self.given_up or self.call.stage == GIVEN_UP

    cpdef object take(self):
        if self.call.stage != NO_CALL:
            self.given_up = not self.begin_head()  # from now on the monitor leaves the stage as it is
            set_stage(&self.call.stage, NO_CALL)
        held, self.held = self.held, None
        return held

    cpdef object lose(self):
        self.lost = True

    cpdef object running(self):
        return self.held

    cpdef bint let_go(self, object connection) except -1:
        if self.held is not connection:
            return False
        self.take()
        return True

    cpdef Turn successor(self):
        count_call(&self.counter.number)
        return Turn(Inbox(), OutBuffer(), self.counter)
