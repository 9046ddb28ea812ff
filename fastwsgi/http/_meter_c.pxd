cimport cython


cdef enum:  # words, as in figures.py
    RECEIVED = 65
    SENT = 66
    ACCEPTED = 64
    LINES_DROPPED = 70


cdef extern from *:
    """
    #define add_atomically(at, count) __atomic_fetch_add(at, count, __ATOMIC_RELAXED)
    """
    void add_atomically(long long *, long long) noexcept nogil


cdef inline void count_up(long long *word, long long more) noexcept nogil:
    word[0] += more


cdef void count_expired(long long *words, double started) noexcept nogil


@cython.final
cdef class Meter:
    cdef long long *words  # SIZE of them
    cdef readonly object view
    cdef readonly bint keeps_durations
    cdef public double free_since
    cdef readonly double ended
    cdef bytes shown  # the name that stands in the memory, without an ID; None: something else does

    cdef object use(self, object view)
    cpdef object disown(self)
    cpdef double now(self)
    cpdef object add(self, Py_ssize_t index, long long count)
    cpdef object set(self, Py_ssize_t index, long long value)
    cpdef void begin_call(self, object connection) noexcept
    cdef void show(self, bytes name) noexcept
    cpdef void end_call(self) noexcept
    cpdef object move_call(self, object exchange, Py_ssize_t row)
    cpdef object mark(self, object exchange)
    cpdef object show_id(self, str request_id)
    cpdef int end(self, object exchange) except -1
    cdef double began(self, object exchange)
    cdef long long busy_time(self, object exchange, double now) except -1
    cdef bint has_answered(self, object exchange) noexcept
    cdef void keep_duration(self, long long spent) noexcept
