"""The response serializer and the out-buffer; the pure twin, _outbox_py.py, is the specification.

Bytes gather in one block, so that pipelined answers leave together. A piece of 16 KiB or more is held instead of
copied, one at a time, and sent from where it is in memory.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memcmp, memmove

from fastwsgi.http._field_text_c cimport (
    PyUnicode_DATA, PyUnicode_GET_LENGTH, is_control, latin1, put, put_number, put_value,
)

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

cdef enum:
    INITIAL = 4096  # bytes
    RETAINED = 65536  # a larger block is given back when it is empty
    COPIED = 16384  # pieces up to here are copied
    OWN_FIELDS = 128  # bytes at most of Content-Length, Transfer-Encoding, the name of Connection, and line ends
    FRAME = 24  # bytes at most of what is around a status, a name and its value, or the data of a chunk
    KNOWN_SIZE = 64  # characters: longer names are not kept

cdef enum:  # what the server does with a field
    PLAIN, CONTENT_LENGTH, DATE, SERVER, CONNECTION, OTHER_HOP

cdef unsigned char LOWER[256]  # of a token byte; 0 for others
cdef int MAX_DIGITS = LENGTH_DIGITS
cdef unsigned char SPECIAL[32]  # whether a name of this length may be one that is not PLAIN

assert [byte for byte in range(256) if not is_control(byte)] == sorted(VALUE_CHARS)


cdef fill_tables():
    cdef int byte
    for byte in TOKEN_CHARS:
        LOWER[byte] = bytes([byte]).lower()[0]
    for name in {"date", "server", "content-length", *HOP_BY_HOP}:
        SPECIAL[len(name)] = 1


fill_tables()


cdef int find_kind(object name, Name *place) except -1:
    """The kind of a field whose *name* has not been checked, or long ago; keep it at *place*."""
    cdef const unsigned char *text = latin1(name)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(name) if text != NULL else 0
    cdef unsigned char lower[32]
    cdef int kind = PLAIN
    cdef Py_ssize_t i
    for i in range(size):
        lower[i % 32] = LOWER[text[i]]
        if lower[i % 32] == 0:
            size = 0
            break
    if size == 0:
        raise bad_name(name)
    if size < 32 and SPECIAL[size]:
        kind = special_kind(<char *>lower, size)
    if size <= KNOWN_SIZE:
        Py_INCREF(name)
        Py_XDECREF(place.text)
        place.text, place.kind = <PyObject *>name, kind
    return kind


cdef int special_kind(const char *lower, Py_ssize_t size) except -1:
    if size == 14 and memcmp(lower, b"content-length", 14) == 0:
        return CONTENT_LENGTH
    if size == 4 and memcmp(lower, b"date", 4) == 0:
        return DATE
    if size == 6 and memcmp(lower, b"server", 6) == 0:
        return SERVER
    if size == 10 and memcmp(lower, b"connection", 10) == 0:
        return CONNECTION
    return OTHER_HOP if lower[:size].decode("ascii") in HOP_BY_HOP else PLAIN


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
        cdef int i
        for i in range(KNOWN):
            Py_XDECREF(self.known[i].text)
        PyMem_Free(self.data)

    cdef Py_ssize_t sendable(self) noexcept:
        """The end of the bytes that may be sent, which excludes an unfinished head."""
        return self.end if self.head < 0 else self.head

    cdef int grow(self, Py_ssize_t wanted) except -1:
        cdef char *data
        wanted = max(wanted, self.capacity * 2)
        data = <char *>PyMem_Realloc(self.data, wanted)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.capacity = wanted
        return 0

    cpdef object begin(self, object status, object headers):
        cdef const unsigned char *text = latin1(status)
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(status) if text != NULL else 0
        cdef char *to = NULL
        cdef bint whole = False
        self.drop_head()
        self.length = -1
        self.close = self.has_date = self.has_server = False
        if (
            size >= 3
            and c'1' <= text[0] <= c'9' and c'0' <= text[1] <= c'9' and c'0' <= text[2] <= c'9'
            and (size == 3 or text[3] == c' ')
        ):
            to = put_value(put(self.room(FRAME + size), b"HTTP/1.1 ", 9), text, size)
        if to == NULL:
            raise bad_status(status)
        if not PyList_CheckExact(headers):
            raise bad_headers(headers)
        if size == 3:
            to = put(to, b" ", 1)
        self.head = self.end
        self.end = put(to, b"\r\n", 2) - self.data
        try:
            for item in <list>headers:
                self.add_field(item)
            whole = True
        finally:
            if not whole:
                self.drop_head()
        self.code = (text[0] - c'0') * 100 + (text[1] - c'0') * 10 + (text[2] - c'0')

    cdef inline int kind_of(self, object name) except -1:
        """The kind of a field; ApplicationError if *name* is none."""
        cdef Name *place = &self.known[<size_t><PyObject *>name // 16 % KNOWN]
        return place.kind if place.text == <PyObject *>name else find_kind(name, place)

    cdef int add_field(self, object item) except -1:
        cdef const unsigned char *text
        cdef Py_ssize_t name_size, size
        cdef char *to
        cdef int kind
        if not PyTuple_CheckExact(item) or PyTuple_GET_SIZE(item) != 2:
            raise bad_header(item)
        name = <object>PyTuple_GET_ITEM(item, 0)
        value = <object>PyTuple_GET_ITEM(item, 1)
        kind = self.kind_of(name)
        text = latin1(value)
        if text == NULL:
            raise bad_value(name, value)
        name_size, size = PyUnicode_GET_LENGTH(name), PyUnicode_GET_LENGTH(value)
        to = put(self.room(FRAME + name_size + size), <const char *>PyUnicode_DATA(name), name_size)
        to = put_value(put(to, b": ", 2), text, size)
        if to == NULL:
            raise bad_value(name, value)
        if kind == PLAIN or self.note(kind, name, value, text, size):
            self.end = put(to, b"\r\n", 2) - self.data
        return 0

    cdef bint note(self, int kind, str name, str value, const unsigned char *text, Py_ssize_t size) except -1:
        """Note what the server must know of a field that is not PLAIN; False if it is not to be written now."""
        cdef long long length = 0
        cdef Py_ssize_t i
        if kind == CONTENT_LENGTH:
            for i in range(size):
                if i == MAX_DIGITS or not (c'0' <= text[i] <= c'9'):
                    length = -1
                    break
                length = length * 10 + (text[i] - c'0')
            if length < 0 or size == 0 or (self.length >= 0 and self.length != length):
                raise bad_length(value)
            self.length = length
            return False
        if kind == CONNECTION and value.strip(" \t").lower() == "close":
            self.close = True
            return False
        if kind >= CONNECTION:
            raise hop_by_hop(name)
        self.has_date = self.has_date or kind == DATE
        self.has_server = self.has_server or kind == SERVER
        return True

    cpdef object finish(self, long long length, bint chunked, str connection, bytes server, bytes date):
        cdef char *to
        if self.head < 0:
            raise RuntimeError("finish() without begin()")
        to = self.room(OWN_FIELDS + len(connection) + PyBytes_GET_SIZE(server) + PyBytes_GET_SIZE(date))
        if length >= 0:
            to = put(put_number(put(to, b"Content-Length: ", 16), length, 10), b"\r\n", 2)
        if chunked:
            to = put(to, b"Transfer-Encoding: chunked\r\n", 28)
        if connection:
            to = put(put(to, b"Connection: ", 12), <const char *>latin1(connection), len(connection))
            to = put(to, b"\r\n", 2)
        if not self.has_server:
            to = put(to, PyBytes_AS_STRING(server), PyBytes_GET_SIZE(server))
        if not self.has_date:
            to = put(to, PyBytes_AS_STRING(date), PyBytes_GET_SIZE(date))
        self.end = put(to, b"\r\n", 2) - self.data
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
            self.end = put(self.room(size), PyBytes_AS_STRING(data), size) - self.data
        self.size += size  # last, as there may be no memory

    cpdef object add_chunk(self, bytes data):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data), copied = size, begin = self.end
        cdef char *to
        if size == 0:
            return
        if size >= COPIED and self.big is None:
            copied = 0
        to = put(put_number(self.room(FRAME + copied), size, 16), b"\r\n", 2)
        if copied:
            to = put(to, PyBytes_AS_STRING(data), size)
        else:
            self.big, self.big_start, self.big_at = data, 0, to - self.data
        self.end = put(to, b"\r\n", 2) - self.data
        self.size += self.end - begin + size - copied

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

    cdef void shrink(self) noexcept:
        """Move what is left to the front of a smaller block, if the block is large; there is no unfinished head."""
        cdef char *data
        cdef Py_ssize_t wanted = max(<Py_ssize_t>INITIAL, self.end - self.start)
        if self.capacity <= RETAINED or wanted > self.capacity // 2:
            return
        memmove(self.data, self.data + self.start, self.end - self.start)
        self.end -= self.start
        self.big_at -= self.start
        self.start = 0
        data = <char *>PyMem_Realloc(self.data, wanted)
        if data != NULL:  # else the block stays as large as it is
            self.data = data
            self.capacity = wanted

    cpdef object sent(self, Py_ssize_t count):
        cdef Py_ssize_t before
        self.size -= count
        if self.size == 0 and self.head < 0:
            self.big = None
            self.start = self.end = 0
            self.shrink()
            return
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
        if self.start == self.head:  # the unfinished head moves to the front
            memmove(self.data, self.data + self.start, self.end - self.start)
            self.end -= self.start
            self.start = self.head = 0
