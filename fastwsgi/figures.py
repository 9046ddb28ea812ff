"""The figures of a worker, and the word of its memory in which each one stands.

Each loop of a worker has SIZE words of 8 bytes, one loop's behind another's, in memory that all processes of the
service share (status/scoreboard.py); a process without a supervisor has as many of its own. A word has one writer at a
time, so a reader sees either the value before or the one after, and no lock is needed.

Gauges, the first words, concern one process, and begin at 0 with it. Counters only grow, and are never set back: the
next worker that gets the memory counts on from where the one before it ended, however that was. So the sum over all
memories is what the service has counted, and no worker's end changes it. Times are in nanoseconds, those that are no
duration on the clock of time.monotonic(), which all processes share.
"""

from __future__ import annotations

WORD = 8  # bytes

# Gauges
PID = 0
PHASE = 1  # index into the scoreboard's STATES
GENERATION = 2  # of the settings and the code: the number of reloads before it
HEARTBEAT = 3  # when it last ran
STARTED = 4
REQUESTS = 5  # served by this process so far
BUSY = 6  # threads that run the application without the loop
QUEUED = 7  # requests that wait for a thread
CONNECTIONS = 8
SATURATED = 9  # whether new requests queue, mostly as all its threads are busy
SPOOLED = 10  # bytes in its temporary files
PULSE = 11  # between two heartbeats
POSITION = 12  # 0 to workers - 1; a worker's successor has the same
THREADS = 13  # that may run the application
STREAMS_WAITING = 14  # responses that wait for slow clients
BUFFERED = 15  # bytes that its clients make it hold
OLDEST_QUEUED = 16  # when the first of the requests in the queue was queued; 0: none is
SATURATED_SINCE = 17  # when that began; 0: some is free
HAS_FAILED = 18  # whether it serves a page that says why the application cannot be loaded (--reload)
ROWS_USED = 19  # those of ROWS that ever had a call; the others are empty
# Calls beyond the last row, in one word, as a reader must see all of it: 2**UNSHOWN_BITS times their number, and when
# they began, in milliseconds, added up
UNSHOWN = 20
UNSHOWN_BITS = 48
LOOP = 21  # of a worker with several: 0 to loops - 1
GAUGES = 64  # words

# Counters
ACCEPTED = 64  # connections
RECEIVED = 65  # bytes
SENT = 66  # bytes
BUSY_TIME = 67  # of calls that have ended, or wait for their clients
QUEUE_FULL = 68  # requests that were refused since too many wait
APPLICATION_ERRORS = 69  # requests whose application raised an exception, or broke PEP 3333
LINES_DROPPED = 70  # of the access log
TIMEOUT_KINDS = ("head", "body", "write", "rate", "application")
TIMEOUTS = 71  # a word for each kind
ABANDONED = 78  # requests whose client left before there was a response
LOG_LEVELS = ("warning", "error", "exception", "critical")
LOGGED = 79  # records of the error log, a word for each level; gunicorn sends them by statsd
REFUSED_CODES = (400, 408, 411, 413, 414, 417, 421, 426, 431, 500, 501, 503, 505)
REFUSED = 96  # a word for each code, then one for other codes
UNANSWERED = REFUSED + len(REFUSED_CODES) + 1  # connections that were refused without an answer

PROBE_CODES = (200, 503)
PROBE_ANSWERS = 112  # answers of routes, a word for each code; they are in no other figure of responses
FILE_CODES = (200, 206, 301, 304, 405, 406, 412, 416, 503)
FILE_ANSWERS = 114  # of those that send files; counted like probes

# Histograms: for each bucket the observations in it (not those below it), then those above the last, then their sum
DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)  # seconds
QUEUE_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
HISTOGRAM = 16  # words
CLASSES = ("2xx", "3xx", "4xx", "5xx")
DURATIONS = 128  # a histogram for each class
QUEUE_TIMES = 192  # of requests that have waited; those that have not are the rest of all requests
PROXY_QUEUE_TIMES = 208
# Of requests that the monitor answered with 504 while no Python ran (_monitor_c.pyx writes it, without the GIL). If
# their calls ever return, they are counted nowhere else: neither as responses nor as timeouts. It has DURATION_BOUNDS.
EXPIRED = 224
CODES = 256  # responses of the application's requests by code: 100 is the first word; the last is 599, and all above
CODE_WORDS = 500

# The call that the thread with the loop runs
CALL = 768
# Of a call: a word that is odd while it runs and another number for each call, when its thread began to work on it
# (negative once that time is part of BUSY_TIME), the native ID of its thread, the bytes of its name, its request ID (40
# bytes, with zeros), its name: method, blank and path, in Latin-1, cut
CALL_NUMBER, CALL_BEGAN, CALL_THREAD, CALL_LENGTH, CALL_ID, CALL_NAME = 0, 1, 2, 3, 4, 9
CALL_WORDS = 32
CALL_ID_BYTES = 40
CALL_NAME_BYTES = (CALL_WORDS - CALL_NAME) * WORD

# Whom most refusals of the last minute went to: for each a count, then its address (56 bytes, with zeros)
PEERS = 800
PEER_WORDS = 8
MOST_PEERS = 8

# The calls that run in threads without the loop, each as above
ROWS = 896
MOST_ROWS = 256

# The durations of the last requests in microseconds, in 4 bytes each, for statsd: a count of all, then the ring
RING = 9088
RING_ENTRIES = 4096

SIZE = 11264  # words


def private_memory(loops: int = 1) -> memoryview:
    """The words of a process that shares them with no other: SIZE for each of its *loops*."""
    return memoryview(bytearray(loops * SIZE * WORD)).cast("q")
