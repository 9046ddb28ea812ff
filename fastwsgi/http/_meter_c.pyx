"""The meter, in C; its pure twin, _meter_py.py, is the specification.

Nothing here releases the GIL, so each method is atomic to other threads. The monitor, which does not hold the GIL, has
words of its own.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy, memset

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange
from fastwsgi.http._turn_c cimport store_word

from fastwsgi import figures
from fastwsgi.http.call_names import write_id
from fastwsgi.http.waits import SHORT_WAIT, count_route, resume

cdef enum:  # as in figures.py
    SIZE = 11264
    UNSHOWN = 20
    BUSY_TIME = 67
    ABANDONED = 78
    BOUNDS = 14
    HISTOGRAM = 16
    DURATIONS = 128
    QUEUE_TIMES = 192
    EXPIRED_TIMES = 224
    CODES = 256
    CODE_WORDS = 500
    CALL = 768
    NUMBER = 768
    BEGAN = 769
    LENGTH = 771
    ID = 772
    ID_BYTES = 40
    NAME = 777
    NAME_BYTES = 184
    CALL_WORDS = 32
    ROWS = 896
    RING = 9088
    RING_ENTRIES = 4096
    EXPIRED = 504

assert (SIZE, UNSHOWN, BUSY_TIME, ABANDONED, HISTOGRAM, DURATIONS, QUEUE_TIMES, EXPIRED_TIMES, CODES, CODE_WORDS) == (
    figures.SIZE, figures.UNSHOWN, figures.BUSY_TIME, figures.ABANDONED, figures.HISTOGRAM, figures.DURATIONS,
    figures.QUEUE_TIMES, figures.EXPIRED, figures.CODES, figures.CODE_WORDS,
)
assert BOUNDS == len(figures.DURATION_BOUNDS) == len(figures.QUEUE_BOUNDS)
assert (CALL, CALL_WORDS, ROWS, RING, RING_ENTRIES) == (
    figures.CALL, figures.CALL_WORDS, figures.ROWS, figures.RING, figures.RING_ENTRIES,
)
assert (NUMBER, BEGAN, LENGTH, ID, ID_BYTES, NAME, NAME_BYTES) == (
    CALL + figures.CALL_NUMBER, CALL + figures.CALL_BEGAN, CALL + figures.CALL_LENGTH, CALL + figures.CALL_ID,
    figures.CALL_ID_BYTES, CALL + figures.CALL_NAME, figures.CALL_NAME_BYTES,
)
assert (ACCEPTED, RECEIVED, SENT, LINES_DROPPED) == (
    figures.ACCEPTED, figures.RECEIVED, figures.SENT, figures.LINES_DROPPED,
)

cdef double short_wait = SHORT_WAIT

cdef long long[BOUNDS] bounds  # nanoseconds
for place, bound in enumerate(figures.DURATION_BOUNDS):
    bounds[place] = round(bound * 10**9)
cdef double[BOUNDS] queue_bounds = figures.QUEUE_BOUNDS

cdef extern from *:
    """
    #include <time.h>

    static double seconds_now(void) {
        struct timespec now;
    #if defined(__APPLE__)  /* where Python reads another clock, which stands still while the machine sleeps */
        clock_gettime(CLOCK_UPTIME_RAW, &now);
    #else
        clock_gettime(CLOCK_MONOTONIC, &now);
    #endif
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
    double seconds_now() noexcept nogil
    void store_number(long long *, long long) noexcept
    long long nanoseconds(double) noexcept nogil


cdef void count_expired(long long *words, double started) noexcept nogil:
    """Count a request that the monitor has answered, where nobody else will."""
    cdef long long spent = nanoseconds(seconds_now() - started)
    cdef int bucket = 0
    while bucket < BOUNDS and spent > bounds[bucket]:
        bucket += 1
    words[EXPIRED_TIMES + bucket] += 1
    words[EXPIRED_TIMES + HISTOGRAM - 1] += spent


cdef void count_turn(long long *words, double seconds) noexcept nogil:
    """As in waits.py: on a busy thread that is half of all requests, and a call of Python costs each a microsecond."""
    cdef int bucket = 0
    while bucket < BOUNDS and seconds > queue_bounds[bucket]:
        bucket += 1
    count_up(&words[QUEUE_TIMES + bucket], 1)
    count_up(&words[QUEUE_TIMES + HISTOGRAM - 1], nanoseconds(seconds))


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
        store_word(&self.words[index], value)  # the monitor reads some

    # The call on the thread with the loop

    cpdef void begin_call(self, object connection) noexcept:
        cdef double began = (<Connection>connection).exchange.started
        if (<Connection>connection).reader.name is not self.shown:
            self.show((<Connection>connection).reader.name)
        if self.free_since > began or (<Connection>connection).exchange.idle != 0:
            began = self.began((<Connection>connection).exchange)
        self.words[BEGAN] = <long long>(began * 1e9)
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 2) | 1)

    cdef double began(self, object begun):
        """When the thread of a request that may have waited begins to work on it, or goes on."""
        cdef Exchange exchange = <Exchange>begun
        if exchange.paused != 0:
            resume(self, exchange)
        cdef double began = exchange.started + exchange.idle
        return began if exchange.settled else max(began, self.free_since)

    cdef void show(self, bytes name) noexcept:
        """Show *name* alone. It often is the object that it was before: the scanner knows request lines again."""
        cdef Py_ssize_t size = min(PyBytes_GET_SIZE(name), NAME_BYTES)
        memcpy(&self.words[NAME], PyBytes_AS_STRING(name), size)
        memset(&self.words[ID], 0, ID_BYTES)
        self.words[LENGTH] = size
        self.shown = name

    cpdef void end_call(self) noexcept:
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 1) & ~1)

    cpdef object move_call(self, object exchange, Py_ssize_t row):
        if not ROWS <= row <= RING - CALL_WORDS:
            raise IndexError(row)
        self.end_call()
        memcpy(&self.words[row + 1], &self.words[CALL + 1], (CALL_WORDS - 1) * sizeof(long long))
        (<Exchange>exchange).row = row
        store_number(&self.words[row], (self.words[row] + 2) | 1)

    cpdef object mark(self, object exchange):
        cdef Exchange counted = <Exchange>exchange
        cdef long long *began
        if counted.row < 0:
            add_atomically(&self.words[UNSHOWN], counted.row)
            counted.row = 0
        else:
            began = &self.words[BEGAN if counted.row == 0 else counted.row + BEGAN - CALL]
            store_number(began, -abs(began[0]))

    cpdef object show_id(self, str request_id):
        self.shown = None  # the next call writes over it
        write_id(self.view, CALL, request_id)

    # The end of a response

    cpdef int end(self, object exchange) except -1:
        cdef double now = seconds_now(), started = (<Exchange>exchange).started
        cdef long long spent = nanoseconds(now - started), busy = spent
        cdef unsigned int code = (<Exchange>exchange).code, bucket = 0
        cdef long long *histogram
        self.ended = now
        if (
            self.free_since > started or (<Exchange>exchange).idle != 0 or (<Exchange>exchange).settled
            or (<Exchange>exchange).turn is None
        ):
            if (<Exchange>exchange).route is not None:  # none has a turn
                count_route(self, exchange)
                return 0
            busy = self.busy_time(exchange, now)
        else:
            self.free_since = now
            store_number(&self.words[BEGAN], -self.words[BEGAN])
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

    cdef long long busy_time(self, object ended, double now) except -1:
        """How long a request that has waited, or was refused, kept its thread busy, in nanoseconds."""
        cdef Exchange exchange = <Exchange>ended
        cdef double began = exchange.started + exchange.idle
        if exchange.settled:
            if exchange.turn is not None and exchange.turn.running() is exchange.connection:
                self.free_since = now
            if exchange.paused != 0:
                return 0
        elif exchange.turn is None:
            return 0  # the application was never called
        else:
            if self.free_since > began:
                if self.free_since - began >= short_wait:
                    count_turn(self.words, self.free_since - began)
                began = self.free_since
            self.free_since = now
        self.mark(exchange)
        return nanoseconds(now - began)

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
