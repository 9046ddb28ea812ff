"""The meter, in C; its pure twin, _meter_py.py, is the specification.

Nothing here releases the GIL, so each method is atomic to other threads. The monitor, which does not hold the GIL, has
words of its own.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange
from fastwsgi.http._inbox_c cimport Inbox

from fastwsgi import figures
from fastwsgi.http.call_names import name_from, write_id, write_name
from fastwsgi.http.waits import count_turn

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
    NAME = 777
    NAME_BYTES = 184
    RING = 2944
    RING_ENTRIES = 4096
    EXPIRED = 504

assert (SIZE, BUSY_TIME, ABANDONED, BOUNDS, HISTOGRAM, DURATIONS, CODES, CODE_WORDS, CALL, RING, RING_ENTRIES) == (
    figures.SIZE, figures.BUSY_TIME, figures.ABANDONED, len(figures.DURATION_BOUNDS), figures.HISTOGRAM,
    figures.DURATIONS, figures.CODES, figures.CODE_WORDS, figures.CALL, figures.RING, figures.RING_ENTRIES,
)
assert (NUMBER, STARTED, LENGTH, NAME, NAME_BYTES) == (
    CALL + figures.CALL_NUMBER, CALL + figures.CALL_STARTED, CALL + figures.CALL_LENGTH, CALL + figures.CALL_NAME,
    figures.CALL_NAME_BYTES,
)
assert (ACCEPTED, RECEIVED, SENT, LINES_DROPPED, MONITOR_EXPIRED, MONITOR_EXPIRED_TIME) == (
    figures.ACCEPTED, figures.RECEIVED, figures.SENT, figures.LINES_DROPPED, figures.EXPIRED, figures.EXPIRED_TIME,
)

cdef long long[BOUNDS] bounds  # nanoseconds
for place, bound in enumerate(figures.DURATION_BOUNDS):
    bounds[place] = round(bound * 10**9)

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
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

    #define BYTES (UINT64_MAX / 255)
    #define HAS_ZERO(word) (((word) - BYTES) & ~(word) & (BYTES << 7))

    /* Copy method, blank and path of a head that is whole, up to a question mark: bytes copied, at most *most*, of
       which there are whole words. What lies behind the path never gets there, not even for a moment. */
    static int copy_name(char *to, const char *at, const char *end, int most) {
        const char *begin = to, *limit = to + most;
        uint64_t word;
        while (at < end && (*at == '\\r' || *at == '\\n'))
            at++;
        while (at < end && to < limit && *at != ' ')
            *to++ = *at++;
        if (at < end && to < limit)
            *to++ = *at++;
        while (end - at >= 8 && limit - to >= 8) {
            memcpy(&word, at, 8);
            if (HAS_ZERO(word ^ BYTES * ' ') | HAS_ZERO(word ^ BYTES * '?'))
                break;
            memcpy(to, &word, 8);
            at += 8;
            to += 8;
        }
        while (at < end && to < limit && *at != ' ' && *at != '?')
            *to++ = *at++;
        return to - begin;
    }
    """
    double seconds_now() noexcept
    void store_number(long long *, long long) noexcept
    int copy_name(char *, const char *, const char *, int) noexcept


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
        self.named = NULL

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

    cdef int note_head(self, object exchange) except -1:
        cdef Connection connection = (<Exchange>exchange).connection
        cdef Inbox inbox = (<Exchange>exchange).service.turn.inbox
        cdef const char *begin = inbox.data + connection.reader.begin
        self.words[LENGTH] = copy_name(<char *>&self.words[NAME], begin, inbox.data + inbox.start, NAME_BYTES)
        self.named = <void *>exchange

    cdef int begin_call(self, object exchange) except -1:
        if self.named != <void *>exchange:
            write_name(self.view, CALL, name_from((<Exchange>exchange).environ))
        if self.has_id:
            self.has_id = False
            write_id(self.view, CALL, "")
        self.words[STARTED] = <long long>((<Exchange>exchange).started * 1e9)
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 2) | 1)

    cpdef object end_call(self):
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 1) & ~1)
        self.named = NULL

    cpdef object show_id(self, str request_id):
        self.has_id = True
        write_id(self.view, CALL, request_id)

    # The end of a response

    cdef int end(self, object ended) except -1:
        cdef Exchange exchange = <Exchange>ended
        cdef double now = seconds_now(), began = exchange.started + exchange.idle
        cdef long long spent = max(0, <long long>((now - exchange.started) * 1e9))
        cdef long long *words = self.words
        cdef long long *histogram
        cdef int bucket = 0, code
        if exchange.settled or exchange.turn is None:
            self.end_rarely(exchange, now, &began)
        else:
            if self.free_since > began:
                count_turn(self, self.free_since - began)
                began = self.free_since
            self.free_since = now
        words[BUSY_TIME] += max(0, <long long>((now - began) * 1e9))
        code = exchange.code
        if code == 0:
            words[ABANDONED] += not exchange.is_refused
            return 0
        if code == EXPIRED and exchange.turn is not None and exchange.turn.was_given_up():
            return 0  # the monitor has counted it
        histogram = words + DURATIONS + HISTOGRAM * min(code // 100 - 2, 3)
        while bucket < BOUNDS and spent > bounds[bucket]:
            bucket += 1
        histogram[bucket] += 1
        histogram[HISTOGRAM - 1] += spent
        words[CODES + min(code - 100, CODE_WORDS - 1)] += 1
        if self.keeps_durations:
            self.keep_duration(spent)

    cdef int end_rarely(self, object ended, double now, double *began) except -1:
        """When a response that has waited, or was refused, began to keep its thread busy."""
        cdef Exchange exchange = <Exchange>ended
        if not exchange.settled:
            began[0] = now  # the application was never called
        elif exchange.paused:
            began[0] += now - exchange.paused
        if exchange.turn is not None and exchange.turn.running() is exchange.connection:
            self.free_since = now

    cdef void keep_duration(self, long long spent) noexcept:
        cdef unsigned int *ring = <unsigned int *>(self.words + RING + 1)
        ring[self.words[RING] % RING_ENTRIES] = <unsigned int>min(spent // 1000, 0xFFFFFFFFLL)
        self.words[RING] += 1
