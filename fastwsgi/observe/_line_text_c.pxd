"""Texts, numbers and times, as they stand in a line of the access log: functions that are inline in _access_c.pyx.

None but one_byte() needs the GIL. Those that write do so at *to*, where there is room, and return the place behind what
they wrote.
"""

from cpython.ref cimport PyObject
from libc.string cimport memcpy

cdef extern from "Python.h":
    int PyUnicode_CheckExact(PyObject *) nogil
    int PyUnicode_KIND(PyObject *) nogil
    int PyUnicode_1BYTE_KIND
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject *) nogil
    PyObject *Py_None

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdio.h>
    #include <string.h>
    #include <time.h>

    static const char hex_digits[] = "0123456789abcdef";
    static const char pairs[] =  /* the digits of 0 to 99 */
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

    /* Seconds on the clock of time.monotonic(). */
    static double monotonic(void) {
        struct timespec now;
    #if defined(__APPLE__)  /* where Python reads another clock, which stands still while the machine sleeps */
        clock_gettime(CLOCK_UPTIME_RAW, &now);
    #else
        clock_gettime(CLOCK_MONOTONIC, &now);
    #endif
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }

    /* The current second as formats.current_second() gives it, for a thread without the GIL. */
    static double second_without_gil(char *stamp, char *iso) {
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct timespec wall;
        struct tm now;
        char text[128];
        clock_gettime(CLOCK_REALTIME, &wall);
        gmtime_r(&wall.tv_sec, &now);
        snprintf(text, sizeof(text), "[%02d/%.3s/%04d:%02d:%02d:%02d +0000]", now.tm_mday, months + 3 * now.tm_mon,
                 now.tm_year + 1900, now.tm_hour, now.tm_min, now.tm_sec);
        memcpy(stamp, text, 28);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", now.tm_year + 1900, now.tm_mon + 1, now.tm_mday,
                 now.tm_hour, now.tm_min, now.tm_sec);
        memcpy(iso, text, 19);
        return monotonic() + 1 - 1e-9 * (double)wall.tv_nsec;
    }

    /* Whether a byte is escaped: any but formats.SAFE_CHARS. */
    static inline int is_unsafe(unsigned char byte) {
        return byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\\\';
    }

    /* Whether none of eight bytes is. */
    #define EACH(byte) (0x0101010101010101ULL * (byte))
    static inline int all_safe(const unsigned char *at) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        uint64_t quotes = eight ^ EACH(0x22), slashes = eight ^ EACH(0x5c);
        uint64_t unsafe = eight | (eight + EACH(1)) | (eight - EACH(0x20)) | (quotes - EACH(1)) | (slashes - EACH(1));
        return !(unsafe & EACH(0x80));
    }
    """
    const char *hex_digits
    const char *pairs
    double monotonic() noexcept nogil
    double second_without_gil(char *stamp, char *iso) noexcept nogil
    bint is_unsafe(unsigned char) noexcept nogil
    bint all_safe(const unsigned char *) noexcept nogil

cdef enum:
    MOST_ESCAPED = 6  # bytes that one byte may become
    STAMP_SIZE = 28  # bytes
    ISO_SIZE = 19
    TOO_MUCH = 1073741824


cdef inline char *copy(char *to, const char *data, Py_ssize_t size) noexcept nogil:
    memcpy(to, data, size)
    return to + size


cdef inline char *escaped(char *to, const unsigned char *at, const unsigned char *end, bint json) noexcept nogil:
    cdef const unsigned char *stop
    while at < end:
        if end - at >= 8 and all_safe(at):
            memcpy(to, at, 8)
            at += 8
            to += 8
            continue
        stop = at + min(8, end - at)
        while at < stop:
            if is_unsafe(at[0]):
                to = copy(to, b"\\u00", 4) if json else copy(to, b"\\x", 2)
                to[0] = hex_digits[at[0] >> 4]
                to[1] = hex_digits[at[0] & 15]
                to += 2
            else:
                to[0] = at[0]
                to += 1
            at += 1
    return to


cdef inline char *digits(char *to, unsigned long long value) noexcept nogil:
    cdef char reversed[24]
    cdef int size = 0
    while True:
        reversed[size] = 48 + value % 10
        value //= 10
        size += 1
        if value == 0:
            break
    while size:
        size -= 1
        to[0] = reversed[size]
        to += 1
    return to


cdef inline char *number(char *to, unsigned long long value) noexcept nogil:
    if value < 10:
        to[0] = 48 + <int>value
        return to + 1
    return digits(to, value)


cdef inline char *six_digits(char *to, unsigned int value) noexcept nogil:
    """A fraction in millionths, with its point."""
    to[0] = b"."
    memcpy(to + 1, &pairs[2 * (value // 10000)], 2)
    memcpy(to + 3, &pairs[2 * (value // 100 % 100)], 2)
    memcpy(to + 5, &pairs[2 * (value % 100)], 2)
    return to + 7


cdef inline Py_ssize_t bound_of(PyObject *text) noexcept nogil:
    """The most bytes that *text* can take; too much for any memory if it is not latin-1."""
    if text == NULL or text == Py_None or not PyUnicode_CheckExact(text):
        return 0  # None, or the head of the response, which comes last
    if PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        return TOO_MUCH
    return MOST_ESCAPED * PyUnicode_GET_LENGTH(text)


cdef inline Py_ssize_t bound_of_all(PyObject **texts, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t bound = 0, place
    for place in range(count):
        bound += bound_of(texts[place])
    return bound


cdef inline PyObject *text_or_null(PyObject *text) noexcept nogil:
    """*text*, which is a str; NULL for an empty one."""
    return text if PyUnicode_GET_LENGTH(text) else NULL


cdef inline PyObject *at_place(PyObject **texts, Py_ssize_t place) noexcept nogil:
    """A text of several, or NULL for None."""
    if texts == NULL or texts[place] == Py_None:
        return NULL
    return texts[place]


cdef inline one_byte(text):
    """*text* as a str of latin-1, other characters as \\uNNNN."""
    if text is None or PyUnicode_KIND(<PyObject *>text) == PyUnicode_1BYTE_KIND:
        return text
    return text.encode("latin-1", "backslashreplace").decode("latin-1")
