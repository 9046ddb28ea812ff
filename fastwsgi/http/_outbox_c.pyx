"""The response serializer and the out-buffer; the pure twin, _outbox_py.py, is the specification.

Bytes gather in one block, so that pipelined answers leave together. A piece of 16 KiB or more is held instead of
copied, one at a time, and sent from where it is in memory.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memcmp, memcpy, memmove

from fastwsgi.http.errors import (
    bad_header,
    bad_headers,
    bad_length,
    bad_name,
    bad_status,
    bad_value,
    hop_by_hop,
)
from fastwsgi.http.grammar import HOP_BY_HOP, LENGTH_DIGITS, TOKEN_CHARS, VALUE_CHARS

cdef extern from "Python.h":
    int PyUnicode_CheckExact(object)
    int PyUnicode_KIND(object)
    int PyUnicode_1BYTE_KIND
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void *PyUnicode_DATA(object)

cdef enum:
    INITIAL = 4096  # bytes
    RETAINED = 65536  # a larger block is given back when it is empty
    COPIED = 16384  # pieces up to here are copied
    OWN_FIELDS = 128  # bytes at most of Content-Length, Transfer-Encoding, the name of Connection, and line ends
    CHUNK_FRAME = 20  # bytes at most of what is around the data of a chunk

cdef unsigned char LOWER[256]  # of a token byte; 0 for others
cdef unsigned char IN_VALUE[256]
cdef int MAX_DIGITS = LENGTH_DIGITS
cdef unsigned char SPECIAL[32]  # whether a name of this length may be one that add_special() must see


cdef fill_tables():
    cdef int byte
    for byte in TOKEN_CHARS:
        LOWER[byte] = bytes([byte]).lower()[0]
    for byte in VALUE_CHARS:
        IN_VALUE[byte] = 1
    for name in {"date", "server", "content-length", *HOP_BY_HOP}:
        SPECIAL[len(name)] = 1


fill_tables()


cdef inline const unsigned char *latin1(object text) noexcept:
    """The characters of a str of one byte each, or NULL."""
    if not PyUnicode_CheckExact(text) or PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        return NULL
    return <const unsigned char *>PyUnicode_DATA(text)


cdef inline bint clean(const unsigned char *at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        if not IN_VALUE[at[i]]:
            return False
    return True


cdef class OutBuffer:
    """Bytes on their way to one client, in order. The attributes are the facts of the last head that was begun."""

    def __cinit__(self):
        self.data = <char *>PyMem_Malloc(INITIAL)
        if self.data == NULL:
            raise MemoryError
        self.capacity = INITIAL
        self.head = -1
        self.length = -1

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef Py_ssize_t sendable(self) noexcept:
        """The end of the bytes that may be sent, which excludes an unfinished head."""
        return self.end if self.head < 0 else self.head

    cdef char *room(self, Py_ssize_t count) except NULL:
        """Where to write the next *count* bytes; the caller moves *end*."""
        cdef Py_ssize_t wanted = self.end + count
        cdef char *data
        if wanted > self.capacity:
            wanted = max(wanted, self.capacity * 2)
            data = <char *>PyMem_Realloc(self.data, wanted)
            if data == NULL:
                raise MemoryError
            self.data = data
            self.capacity = wanted
        return self.data + self.end

    cdef int write(self, const char *data, Py_ssize_t count) except -1:
        memcpy(self.room(count), data, count)
        self.end += count
        return 0

    cdef int write_number(self, long long number) except -1:
        cdef char digits[20]
        cdef int at = 20
        while True:
            at -= 1
            digits[at] = <char>(c'0' + number % 10)
            number //= 10
            if number == 0:
                break
        return self.write(digits + at, 20 - at)

    cpdef object begin(self, object status, object headers):
        cdef const unsigned char *text = latin1(status)
        cdef Py_ssize_t size
        cdef bint whole = False
        self.drop_head()
        self.length = -1
        self.close = self.has_date = self.has_server = False
        size = PyUnicode_GET_LENGTH(status) if text != NULL else 0
        if (
            size < 3
            or not (c'1' <= text[0] <= c'9' and c'0' <= text[1] <= c'9' and c'0' <= text[2] <= c'9')
            or (size > 3 and text[3] != c' ')
            or not clean(text, size)
        ):
            raise bad_status(status)
        if not PyList_CheckExact(headers):
            raise bad_headers(headers)
        self.head = self.end
        try:
            self.write(b"HTTP/1.1 ", 9)
            self.write(<const char *>text, size)
            self.write(b" \r\n" if size == 3 else b"\r\n", 3 if size == 3 else 2)
            for item in <list>headers:
                self.add_field(item)
            whole = True
        finally:
            if not whole:
                self.drop_head()
        self.code = (text[0] - c'0') * 100 + (text[1] - c'0') * 10 + (text[2] - c'0')

    cdef int add_field(self, object item) except -1:
        cdef const unsigned char *name_text
        cdef const unsigned char *value_text
        cdef Py_ssize_t name_size, value_size, i
        cdef unsigned char lower[32]
        cdef unsigned char byte
        cdef char *at
        if not PyTuple_CheckExact(item) or PyTuple_GET_SIZE(item) != 2:
            raise bad_header(item)
        name = <object>PyTuple_GET_ITEM(item, 0)
        value = <object>PyTuple_GET_ITEM(item, 1)
        name_text = latin1(name)
        name_size = PyUnicode_GET_LENGTH(name) if name_text != NULL else 0
        for i in range(name_size):
            byte = LOWER[name_text[i]]
            if byte == 0:
                name_size = 0
                break
            if i < 32:
                lower[i] = byte
        if name_size == 0:
            raise bad_name(name)
        value_text = latin1(value)
        if value_text == NULL or not clean(value_text, PyUnicode_GET_LENGTH(value)):
            raise bad_value(name, value)
        if name_size < 32 and SPECIAL[name_size] and self.add_special(name, <const char *>lower, name_size, value):
            return 0
        value_size = PyUnicode_GET_LENGTH(value)
        at = self.room(name_size + value_size + 4)
        memcpy(at, name_text, name_size)
        memcpy(at + name_size, b": ", 2)
        memcpy(at + name_size + 2, value_text, value_size)
        memcpy(at + name_size + 2 + value_size, b"\r\n", 2)
        self.end += name_size + value_size + 4
        return 0

    cdef int add_special(self, str name, const char *lower, Py_ssize_t size, str value) except -1:
        """Note what the server must know of it; 1 if the field is not to be written now."""
        cdef const unsigned char *digits
        cdef long long length = 0
        cdef Py_ssize_t i
        if size == 14 and memcmp(lower, b"content-length", 14) == 0:
            digits = latin1(value)
            for i in range(PyUnicode_GET_LENGTH(value)):
                if i == MAX_DIGITS or not (c'0' <= digits[i] <= c'9'):
                    length = -1
                    break
                length = length * 10 + (digits[i] - c'0')
            if length < 0 or PyUnicode_GET_LENGTH(value) == 0 or (self.length >= 0 and self.length != length):
                raise bad_length(value)
            self.length = length
            return 1
        if size == 4 and memcmp(lower, b"date", 4) == 0:
            self.has_date = True
        elif size == 6 and memcmp(lower, b"server", 6) == 0:
            self.has_server = True
        elif size == 10 and memcmp(lower, b"connection", 10) == 0 and value.strip(" \t").lower() == "close":
            self.close = True
            return 1
        elif name.lower() in HOP_BY_HOP:
            raise hop_by_hop(name)
        return 0

    cpdef object finish(self, long long length, bint chunked, str connection, bytes server, bytes date):
        if self.head < 0:
            raise RuntimeError("finish() without begin()")
        # The room for all of it, so that nothing below fails half-way
        self.room(OWN_FIELDS + len(connection) + PyBytes_GET_SIZE(server) + PyBytes_GET_SIZE(date))
        if length >= 0:
            self.write(b"Content-Length: ", 16)
            self.write_number(length)
            self.write(b"\r\n", 2)
        if chunked:
            self.write(b"Transfer-Encoding: chunked\r\n", 28)
        if connection:
            self.write(b"Connection: ", 12)
            self.write(<const char *>latin1(connection), len(connection))
            self.write(b"\r\n", 2)
        if not self.has_server:
            self.write(PyBytes_AS_STRING(server), PyBytes_GET_SIZE(server))
        if not self.has_date:
            self.write(PyBytes_AS_STRING(date), PyBytes_GET_SIZE(date))
        self.write(b"\r\n", 2)
        self.size += self.end - self.head
        self.head = -1

    cpdef object drop_head(self):
        if self.head >= 0:
            self.end = self.head
            self.head = -1

    cpdef object add(self, bytes data):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        if size >= COPIED and self.big is None:
            self.big = data
            self.big_start = 0
            self.big_at = self.end
        else:
            self.write(PyBytes_AS_STRING(data), size)
        self.size += size  # last, as there may be no memory

    cpdef object add_chunk(self, bytes data):
        cdef char digits[16]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t left = size
        cdef int at = 16
        if size == 0:
            return
        # The room for all of it, so that nothing below fails half-way
        self.room(CHUNK_FRAME + (0 if size >= COPIED and self.big is None else size))
        while left:
            at -= 1
            digits[at] = b"0123456789abcdef"[left & 15]
            left >>= 4
        self.write(digits + at, 16 - at)
        self.write(b"\r\n", 2)
        self.add(data)
        self.write(b"\r\n", 2)
        self.size += 16 - at + 4

    cpdef bytes peek(self):
        cdef Py_ssize_t end = self.sendable()
        if self.big is None:
            return PyBytes_FromStringAndSize(self.data + self.start, end - self.start)
        return (
            PyBytes_FromStringAndSize(self.data + self.start, self.big_at - self.start)
            + self.big[self.big_start :]
            + PyBytes_FromStringAndSize(self.data + self.big_at, end - self.big_at)
        )

    cpdef list behind(self, Py_ssize_t count):
        cdef list found = []
        cdef Py_ssize_t at = self.start + count
        if self.big is None:
            return [PyBytes_FromStringAndSize(self.data + at, self.end - at)] if at < self.end else found
        if at < self.big_at:
            found.append(PyBytes_FromStringAndSize(self.data + at, self.big_at - at))
        count = max(0, at - self.big_at) + self.big_start
        if count < PyBytes_GET_SIZE(self.big):
            found.append(memoryview(self.big)[count:])
        at = self.big_at + max(0, count - PyBytes_GET_SIZE(self.big))
        if at < self.end:
            found.append(PyBytes_FromStringAndSize(self.data + at, self.end - at))
        return found

    cpdef object cut(self, Py_ssize_t count):
        cdef Py_ssize_t before, big_size
        if count >= self.size:
            return
        self.size = count
        if self.big is None:
            self.end = self.start + count
        else:
            before = self.big_at - self.start
            big_size = PyBytes_GET_SIZE(self.big) - self.big_start
            if count <= before:
                self.big = None
                self.end = self.start + count
            else:
                if count < before + big_size:  # a copy, so that the whole is given back
                    self.big = self.big[self.big_start : self.big_start + count - before]
                    self.big_start = 0
                self.end = self.big_at + max(0, count - before - big_size)
        if self.start == self.end and self.big is None:
            self.start = self.end = 0
        self.shrink()

    cdef int shrink(self) except -1:
        """Move what is left to the front of a smaller block, if the block is large."""
        cdef char *data
        cdef Py_ssize_t wanted = max(<Py_ssize_t>INITIAL, self.end - self.start)
        if self.capacity <= RETAINED or wanted > self.capacity // 2:
            return 0
        memmove(self.data, self.data + self.start, self.end - self.start)
        self.end -= self.start
        self.big_at -= self.start
        self.start = 0
        data = <char *>PyMem_Realloc(self.data, wanted)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.capacity = wanted
        return 0

    cpdef object sent(self, Py_ssize_t count):
        cdef Py_ssize_t before
        cdef char *data
        self.size -= count
        if self.big is not None:
            before = min(count, self.big_at - self.start)
            self.start += before
            count -= before
            before = min(count, PyBytes_GET_SIZE(self.big) - self.big_start)
            self.big_start += before
            count -= before
            if self.big_start < PyBytes_GET_SIZE(self.big):
                return
            self.big = None
        self.start += count
        if self.start < self.sendable():
            return
        if self.head >= 0:  # the unfinished head moves to the front
            memmove(self.data, self.data + self.start, self.end - self.start)
            self.end -= self.start
            self.start = self.head = 0
            return
        self.start = self.end = 0
        if self.capacity > RETAINED:
            data = <char *>PyMem_Realloc(self.data, INITIAL)
            if data != NULL:
                self.data = data
                self.capacity = INITIAL
