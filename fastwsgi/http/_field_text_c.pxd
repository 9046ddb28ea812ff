"""Texts and numbers of a response head: functions that are inline in _outbox_c.pyx.

Those that are called put write at *to*, where there is room, and return the place behind what they wrote.
"""

from libc.string cimport memcpy

cdef extern from "Python.h":
    int PyUnicode_CheckExact(object)
    int PyUnicode_KIND(object)
    int PyUnicode_1BYTE_KIND
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void *PyUnicode_DATA(object)

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* Whether a byte may not be in a value: any but grammar.VALUE_CHARS. */
    static inline int is_control(unsigned char byte) {
        return (byte < 0x20 && byte != '\\t') || byte == 0x7f;
    }

    /* Whether one of eight bytes is a control; a tab counts as one. */
    #define EACH(byte) (0x0101010101010101ULL * (byte))
    static inline int has_control(const char *at) {
        uint64_t eight, del;
        memcpy(&eight, at, 8);
        del = eight ^ EACH(0x7f);
        return ((((eight - EACH(0x20)) & ~eight) | ((del - EACH(1)) & ~del)) & EACH(0x80)) != 0;
    }
    """
    bint is_control(unsigned char) noexcept nogil
    bint has_control(const char *) noexcept nogil


cdef inline const unsigned char *latin1(object text) noexcept:
    """The characters of a str of one byte each, or NULL."""
    if not PyUnicode_CheckExact(text) or PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        return NULL
    return <const unsigned char *>PyUnicode_DATA(text)


cdef inline char *put(char *to, const char *data, Py_ssize_t size) noexcept nogil:
    memcpy(to, data, size)
    return to + size


cdef inline char *put_value(char *to, const unsigned char *text, Py_ssize_t size) noexcept nogil:
    """NULL if *text* has a control. Eight bytes more are blanked, so that it is checked eight bytes at a time."""
    cdef Py_ssize_t at = 0, i
    memcpy(to, text, size)
    memcpy(to + size, b"        ", 8)
    while at < size:
        if has_control(to + at):
            for i in range(at, min(at + 8, size)):
                if is_control(text[i]):
                    return NULL
        at += 8
    return to + size


cdef inline char *put_number(char *to, unsigned long long number, int base) noexcept nogil:
    cdef char digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = b"0123456789abcdef"[number % base]
        number //= base
        if number == 0:
            break
    return put(to, digits + at, 20 - at)
