"""The meter, in C; its pure twin, _meter_py.py, is the specification.

Nothing here releases the GIL, so each method is atomic to other threads. The monitor, which does not hold the GIL, has
words of its own.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange

from fastwsgi import figures
from fastwsgi.http.call_names import write_id
from fastwsgi.http.waits import SHORT_WAIT, count_route, count_turn

cdef enum:  # as in figures.py
    SIZE = 5120
    BUSY_TIME = 67
    ABANDONED = 78
    BOUNDS = 14
    HISTOGRAM = 16
    DURATIONS = 128
    CODES = 256
    CODE_WORDS = 500
    CALL = 768
    NUMBER = 768
    STARTED = 769
    LENGTH = 771
    ID = 772
    ID_BYTES = 40
    NAME = 777
    NAME_BYTES = 184
    RING = 2944
    RING_ENTRIES = 4096
    EXPIRED = 504

assert (SIZE, BUSY_TIME, ABANDONED, BOUNDS, HISTOGRAM, DURATIONS, CODES, CODE_WORDS, CALL, RING, RING_ENTRIES) == (
    figures.SIZE, figures.BUSY_TIME, figures.ABANDONED, len(figures.DURATION_BOUNDS), figures.HISTOGRAM,
    figures.DURATIONS, figures.CODES, figures.CODE_WORDS, figures.CALL, figures.RING, figures.RING_ENTRIES,
)
assert (NUMBER, STARTED, LENGTH, ID, ID_BYTES, NAME, NAME_BYTES) == (
    CALL + figures.CALL_NUMBER, CALL + figures.CALL_STARTED, CALL + figures.CALL_LENGTH, CALL + figures.CALL_ID,
    figures.CALL_ID_BYTES, CALL + figures.CALL_NAME, figures.CALL_NAME_BYTES,
)
assert (ACCEPTED, RECEIVED, SENT, LINES_DROPPED, MONITOR_EXPIRED, MONITOR_EXPIRED_TIME) == (
    figures.ACCEPTED, figures.RECEIVED, figures.SENT, figures.LINES_DROPPED, figures.EXPIRED, figures.EXPIRED_TIME,
)

cdef double short_wait = SHORT_WAIT

cdef long long[BOUNDS] bounds  # nanoseconds
for place, bound in enumerate(figures.DURATION_BOUNDS):
    bounds[place] = round(bound * 10**9)

cdef extern from *:
    """
    #include <time.h>

    static double seconds_now(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }

    /* A reader that sees the number sees what was stored before; nor does it see what is stored later. */
    static void store_number(long long *at, long long number) {
        __atomic_thread_fence(__ATOMIC_RELEASE);
        __atomic_store_n(at, number, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }

    /* 0 where the clock that the seconds were taken from has been set back */
    static long long nanoseconds(double seconds) {
        return seconds > 0 ? (long long)(seconds * 1e9) : 0;
    }
    """
    double seconds_now() noexcept
    void store_number(long long *, long long) noexcept
    long long nanoseconds(double) noexcept


cdef class Meter:
    """Counts for one loop."""

    def __cinit__(self, words=None, bint keeps_durations=False):
        self.keeps_durations = keeps_durations
        self.use(figures.private_memory() if words is None else words)

    cdef object use(self, object view):
        """Count in *view*, which has figures.SIZE words."""
        cdef Py_buffer memory
        PyObject_GetBuffer(view, &memory, PyBUF_WRITABLE)
        PyBuffer_Release(&memory)
        if memory.len < SIZE * sizeof(long long):
            raise ValueError("not the memory of a worker")
        self.view = view  # as long as there is a view, the memory stays where it is
        self.words = <long long *>memory.buf
        self.shown = None

    cpdef object disown(self):
        self.use(figures.private_memory())

    cpdef double now(self):
        return seconds_now()

    cpdef object add(self, Py_ssize_t index, long long count):
        if not 0 <= index < SIZE:
            raise IndexError(index)
        add_atomically(&self.words[index], count)  # the monitor, too, counts lines that were dropped

    cpdef object set(self, Py_ssize_t index, long long value):
        if not 0 <= index < SIZE:
            raise IndexError(index)
        self.words[index] = value

    # The call on the thread with the loop

    cpdef void begin_call(self, object connection) noexcept:
        if (<Connection>connection).reader.name is not self.shown:
            self.show((<Connection>connection).reader.name)
        self.words[STARTED] = <long long>((<Connection>connection).exchange.started * 1e9)
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 2) | 1)

    cdef void show(self, bytes name) noexcept:
        """Show *name* alone. It often is the object that it was before: the scanner knows request lines again."""
        cdef Py_ssize_t size = min(PyBytes_GET_SIZE(name), NAME_BYTES)
        memcpy(&self.words[NAME], PyBytes_AS_STRING(name), size)
        memset(&self.words[ID], 0, ID_BYTES)
        self.words[LENGTH] = size
        self.shown = name

    cpdef void end_call(self) noexcept:
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 1) & ~1)

    cpdef object show_id(self, str request_id):
        self.shown = None  # the next call writes over it
        write_id(self.view, CALL, request_id)

    # The end of a response

    cpdef int end(self, object exchange) except -1:
        cdef double now = seconds_now(), started = (<Exchange>exchange).started
        cdef long long spent = nanoseconds(now - started), busy = spent
        cdef unsigned int code = (<Exchange>exchange).code, bucket = 0
        cdef long long *histogram
        if (
            self.free_since > started or (<Exchange>exchange).idle != 0 or (<Exchange>exchange).settled
            or (<Exchange>exchange).turn is None
        ):
            if (<Exchange>exchange).route is not None:  # none has a turn
                count_route(self, code)
                return 0
            busy = nanoseconds(now - self.busy_since(exchange, now))
        else:
            self.free_since = now
        count_up(&self.words[BUSY_TIME], busy)
        if (code == 0 or code == EXPIRED) and not self.has_answered(exchange):
            return 0
        while bucket < BOUNDS and spent > bounds[bucket]:
            bucket += 1
        histogram = self.words + DURATIONS + HISTOGRAM * min(code // 100 - 2, 3)
        count_up(&histogram[bucket], 1)
        count_up(&histogram[HISTOGRAM - 1], spent)
        count_up(&self.words[CODES + min(code - 100, CODE_WORDS - 1)], 1)
        if self.keeps_durations:
            self.keep_duration(spent)
        return 0

    cdef double busy_since(self, object ended, double now) except? -1:
        """When a request that has waited, or was refused, began to keep its thread busy."""
        cdef Exchange exchange = <Exchange>ended
        cdef double began = exchange.started + exchange.idle
        if exchange.settled:
            if exchange.paused:
                began += now - exchange.paused
            if exchange.turn is not None and exchange.turn.running() is exchange.connection:
                self.free_since = now
            return began
        if exchange.turn is None:
            return now  # the application was never called
        if self.free_since > began:
            if self.free_since - began >= short_wait:
                count_turn(self, self.free_since - began)
            began = self.free_since
        self.free_since = now
        return began

    cdef bint has_answered(self, object ended) noexcept:
        """Whether the answer of a response with the code 0 or EXPIRED is to be counted, and not elsewhere."""
        cdef Exchange exchange = <Exchange>ended
        if exchange.code == 0:
            self.words[ABANDONED] += not exchange.is_refused
            return False
        return exchange.turn is None or not exchange.turn.was_given_up()  # else the monitor has counted it

    cdef void keep_duration(self, long long spent) noexcept:
        cdef unsigned int *ring = <unsigned int *>(self.words + RING + 1)
        cdef unsigned long long micros = spent // 1000, place = self.words[RING]
        ring[place % RING_ENTRIES] = <unsigned int>min(micros, 0xFFFFFFFFULL)
        self.words[RING] += 1
