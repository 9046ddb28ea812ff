"""The meter, in C; its pure twin, _meter_py.py, is the specification.

Nothing here releases the GIL, so each method is atomic to other threads. The monitor, which does not hold the GIL, has
words of its own.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange

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

    #define EACH(byte) (UINT64_MAX / 255 * (byte))

    /* The top bit of each byte of the word that is zero. */
    static uint64_t zeros(uint64_t word) {
        return ~(((word & EACH(0x7f)) + EACH(0x7f)) | word | EACH(0x7f));
    }

    /* The bytes of a word that stand before the one of which *mark* has the top bit, and how many. */
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define FIRST(mask) ((mask) & -(mask))
    #define BEFORE(word, mark) ((word) & (((mark) >> 7) - 1))
    #define COUNT(mark) (__builtin_ctzll(mark) >> 3)
    #else
    #define FIRST(mask) (UINT64_C(1) << (63 - __builtin_clzll(mask)))
    #define BEFORE(word, mark) ((word) & ~(((mark) << 1) - 1))
    #define COUNT(mark) (__builtin_clzll(mark) >> 3)
    #endif

    /* Copy method, blank and path of a head that is whole, eight bytes at a time: how many, at most *most*, which is a
       multiple of 8. A query never gets there, not even for a moment. */
    static int copy_name(char *to, const char *at, const char *end, int most) {
        uint64_t word, marks, method = 1;
        int count = 0;
        while (at < end && (*at == '\\r' || *at == '\\n'))  /* RFC 9112 2.2 */
            at++;
        for (; count < most; count += 8) {
            if (end - at - count >= 8) {
                memcpy(&word, at + count, 8);
            } else {
                word = EACH('?');
                if (end - at > count)
                    memcpy(&word, at + count, end - at - count);
            }
            marks = zeros(word ^ EACH(' ')) | zeros(word ^ EACH('?'));
            if (marks && method) {
                marks ^= FIRST(marks);
                method = 0;
            }
            if (marks) {
                marks = FIRST(marks);
                word = BEFORE(word, marks);
                memcpy(to + count, &word, 8);
                return count + COUNT(marks);
            }
            memcpy(to + count, &word, 8);
        }
        return most;
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

    cdef void note_head(self, object exchange) noexcept:
        cdef const char *data = (<Exchange>exchange).service.turn.inbox.data
        self.words[LENGTH] = copy_name(
            <char *>&self.words[NAME],
            data + (<Exchange>exchange).connection.reader.begin,
            data + (<Exchange>exchange).service.turn.inbox.start,
            NAME_BYTES,
        )
        self.named = <void *>exchange

    cdef int begin_call(self, object exchange) except -1:
        if self.named != <void *>exchange or self.has_id:
            self.begin_anew(exchange)
        self.words[STARTED] = <long long>((<Exchange>exchange).started * 1e9)
        store_number(&self.words[NUMBER], (self.words[NUMBER] + 2) | 1)

    cdef int begin_anew(self, object exchange) except -1:
        """Write over what the memory has of another call."""
        if self.named != <void *>exchange:
            write_name(self.view, CALL, name_from((<Exchange>exchange).environ))
        self.has_id = False
        write_id(self.view, CALL, "")

    cpdef void end_call(self) noexcept:
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
