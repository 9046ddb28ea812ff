"""The monitor of a thread pool, in C; its pure twin, _monitor_py.py, is the specification.

Its thread never takes the GIL, so it notices a stuck call even while that call holds the GIL.

A look costs some 16 us: the timer, two switches. So it looks each millisecond only while calls wait, or may do so; one
that computes has nothing to give before it has lasted a while, as whoever takes the loop from it cannot have the GIL.
It looks less often still while calls are so brisk that 200 looks a second are felt: where there is no GIL, two loops
that answered 120,000 requests a second on two cores took some 5 % more CPU time for each with them.
"""

from cpython.bytes cimport PyBytes_AS_STRING

from fastwsgi import figures
from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange
from fastwsgi.http._meter_c cimport LINES_DROPPED, add_atomically, count_expired
from fastwsgi.http._turn_c cimport (
    ANSWERING, GIVEN_UP, HELD_BACK, Call, CallCounter, Turn, load_flag, load_word, store_flag, store_word,
    watched_stage,
)
from fastwsgi.observe._access_c cimport Line, Lines, make_expired, write_line
from fastwsgi.observe._line_text_c cimport monotonic

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/resource.h>
    #include <sys/socket.h>
    #include <time.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    static void rest(long nanoseconds) {
        struct timespec time = {0, nanoseconds};
        nanosleep(&time, NULL);
    }

    /* How often threads of the process have waited so far, but for the *looks* of the monitor; and the CPU time of the
       process in seconds. macOS counts few of the waits: there one is taken to be between two looks. */
    static long count_waits(long looks, double *spent) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        *spent = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + 1e-6 * (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    #if defined(__APPLE__)
        return looks;
    #else
        return usage.ru_nvcsw - looks;
    #endif
    }

    /* Whether a thread waits (1), or runs, or would if it had a core (0); -1: unknown, as with a GIL, for which threads
       wait, too. */
    #if defined(Py_GIL_DISABLED) && defined(__linux__)
    #include <fcntl.h>
    #include <unistd.h>
    #define TELLS_WAITS 1
    static int waits_now(long long thread) {
        char path[64], text[256], *name_end;
        int fd, size;
        snprintf(path, sizeof(path), "/proc/self/task/%lld/stat", thread);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
        size = (int)read(fd, text, sizeof(text) - 1);
        close(fd);
        text[size < 0 ? 0 : size] = 0;
        name_end = strrchr(text, ')');  /* the state is behind it, and a blank */
        return name_end == NULL || name_end[1] == 0 ? -1 : name_end[2] != 'R';
    }

    /* Whether a thread waits with its state attached, so that whoever stops all threads waits for it. */
    #define ATTACHED 1  /* as the interpreter's own _Py_THREAD_ATTACHED */
    static int keeps_all(long long state) {
        PyThreadState *of = (PyThreadState *)(uintptr_t)state;
        return of != NULL && __atomic_load_n(&of->state, __ATOMIC_RELAXED) == ATTACHED
            && waits_now((long long)of->native_thread_id) == 1;
    }
    #else
    #define TELLS_WAITS 0
    #define waits_now(thread) -1
    #define keeps_all(state) 0
    #endif
    #define own_state() ((long long)(uintptr_t)PyThreadState_Get())

    /* The looks of all monitors of this process so far: each of them is a wait, but none of a call's. */
    static long all_looks;
    #define count_look() __atomic_add_fetch(&all_looks, 1, __ATOMIC_RELAXED)
    #define looks_so_far() __atomic_load_n(&all_looks, __ATOMIC_RELAXED)

    /* As load_word() and store_word() */
    static double load_time(const double *at) {
        double time;
        __atomic_load(at, &time, __ATOMIC_RELAXED);
        return time;
    }

    static void store_time(double *at, double time) {
        __atomic_store(at, &time, __ATOMIC_RELAXED);
    }

    /* Since when garbage is collected, by monotonic(); 0: it is not. Written by the thread that collects it. */
    static double collecting_since;

    #define advance_stage(at, before, after) __sync_bool_compare_and_swap((int *)(at), before, after)

    /* Send an answer with the current date filled in, and close our side. */
    static void send_dated(int fd, const char *answer, int date_at, int size) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        char dated[256], date[64];
        struct tm now;
        time_t seconds = time(NULL);
        gmtime_r(&seconds, &now);
        int length = snprintf(
            date, sizeof(date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
            days + 3 * now.tm_wday, now.tm_mday, months + 3 * now.tm_mon, now.tm_year + 1900,
            now.tm_hour, now.tm_min, now.tm_sec);
        if (size > (int)sizeof(dated) || date_at + length > size)
            return;
        memcpy(dated, answer, size);
        memcpy(dated + date_at, date, length);
        if (send(fd, dated, size, MSG_NOSIGNAL) == size)
            shutdown(fd, SHUT_WR);
    }
    """
    int pthread_create(pthread_t *, const void *, void *(*)(void *) noexcept nogil, void *) nogil
    int pthread_join(pthread_t, void **) nogil
    int pthread_mutex_init(pthread_mutex_t *, const void *) nogil
    int pthread_mutex_destroy(pthread_mutex_t *) nogil
    int pthread_mutex_lock(pthread_mutex_t *) nogil
    int pthread_mutex_unlock(pthread_mutex_t *) nogil
    int pthread_cond_init(pthread_cond_t *, const void *) nogil
    int pthread_cond_destroy(pthread_cond_t *) nogil
    int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *) nogil
    int pthread_cond_signal(pthread_cond_t *) nogil
    int sched_yield() nogil
    void rest(long) nogil
    long count_waits(long, double *) nogil
    bint TELLS_WAITS
    int waits_now(long long) nogil
    bint keeps_all(long long)
    long long own_state()
    long count_look() nogil
    long looks_so_far() nogil
    double load_time(const double *) nogil
    void store_time(double *, double) nogil
    double collecting_since
    bint advance_stage(watched_stage *, int, int) nogil
    void send_dated(int, const char *, int, int) nogil

cdef enum:
    TICK = 1000000  # nanoseconds between two looks while calls wait
    CALM_TICK = 5000000  # while they do not
    BRISK_TICK = 20000000  # while they do not, and there are many
    BRISK = 20000  # of them begin or end in a second then
    EXPIRED = 504
    OTHER_WAITS = 3  # in a window, of a main thread that waits for signals
    CALL_THREAD = 770  # a word, as figures.py has it

# Seconds
cdef double WINDOW = 0.1  # between two judgements; the kernel's account of a thread that runs may be 4 ms late
cdef double LIVELY = 1.0  # after calls that waited, others are likely to
cdef double DOUBT = 0.02  # after a pause, when nobody knows
cdef double PATIENCE = 0.1  # without a new call before the monitor dozes
cdef double LONG = 0.05  # of a call that computes, before its loop is taken away
cdef double PAUSE = 0.25  # the longest pause of the watchdog
cdef double LEAST_SHARE = 0.9, MOST_SHARE = 1.1  # of the cores, which are all busy then
cdef double MARGIN = 0.1  # that it gets beyond its own pause, since it answers better if it can

assert CALL_THREAD == figures.CALL + figures.CALL_THREAD


def thread_state():
    return own_state()


def keeps_interpreter(long long state):
    return keeps_all(state)


cdef class Monitor:
    """Watches the calls of one loop, and keeps spare threads waiting."""

    def __cinit__(
        self, Turn turn not None, double timeout=0.0, bytes answer=b"", int date_at=0, Lines lines=None, int cores=1
    ):
        self.counter = turn.counter
        self.answer = answer
        self.watch.answer = PyBytes_AS_STRING(answer)
        self.lines = lines
        if turn.counter.meter is not None:
            self.watch.figures = turn.counter.meter.words
        self.watch.lines = NULL if lines is None else <void *>lines
        self.watch.date_at = date_at
        self.watch.cores = cores
        self.watch.size = len(answer)
        self.make_locks()
        self.follow(turn)
        if timeout > 0:
            self.watch.limit = timeout + min(timeout / 10, PAUSE) + MARGIN
        self.watch.calls = &turn.counter.number
        self.watch.dozing = &turn.counter.dozing

    cdef object make_locks(self):
        pthread_mutex_init(&self.watch.mutex, NULL)
        pthread_cond_init(&self.watch.posted, NULL)
        pthread_cond_init(&self.watch.woken, NULL)

    def __dealloc__(self):
        self.stop()
        pthread_cond_destroy(&self.watch.woken)
        pthread_cond_destroy(&self.watch.posted)
        pthread_mutex_destroy(&self.watch.mutex)

    @property
    def stuck_call(self):
        return load_word(&self.watch.stuck_call)

    @property
    def calm(self):
        return monotonic() >= load_time(&self.watch.lively_until)

    def start(self):
        if pthread_create(&self.thread, NULL, watch_calls, &self.watch) != 0:
            raise RuntimeError("cannot start the monitor's thread")
        self.running = True

    def delay_spare(self, double seconds):
        store_time(&self.watch.patience, seconds)

    cpdef object follow(self, Turn turn):
        before = self.turn
        self.turn = turn
        pthread_mutex_lock(&self.watch.mutex)
        self.watch.call = &turn.call
        pthread_mutex_unlock(&self.watch.mutex)
        del before  # the thread no longer looks at it

    cpdef object stop(self):
        if not self.running:
            return
        self.running = False
        store_flag(&self.watch.stopped, True)
        self.wake()
        with nogil:
            pthread_join(self.thread, NULL)

    def wait(self):
        with nogil:
            pthread_mutex_lock(&self.watch.mutex)
            while self.watch.posts == 0:
                pthread_cond_wait(&self.watch.posted, &self.watch.mutex)
            self.watch.posts -= 1
            pthread_mutex_unlock(&self.watch.mutex)

    def post(self):
        pthread_mutex_lock(&self.watch.mutex)
        self.watch.posts += 1
        pthread_cond_signal(&self.watch.posted)
        pthread_mutex_unlock(&self.watch.mutex)

    @staticmethod
    def note_collection(str phase, dict info):
        store_time(&collecting_since, monotonic() if phase == "start" else 0.0)

    cpdef object wake(self):
        store_flag(&self.counter.dozing, False)
        pthread_mutex_lock(&self.watch.mutex)
        self.watch.awake = True
        pthread_cond_signal(&self.watch.woken)
        pthread_mutex_unlock(&self.watch.mutex)

    def disown(self):
        self.running = False
        self.make_locks()  # threads that are not there may have held them, or wait for them

    def yield_gil(self):
        with nogil:
            sched_yield()


cdef void call_spare(Watch *watch) noexcept nogil:
    """Call a spare for a stuck call, unless one is called and has not come yet: it asks for the last such call."""
    pthread_mutex_lock(&watch.mutex)
    if watch.posts == 0:
        watch.posts = 1
        pthread_cond_signal(&watch.posted)
    pthread_mutex_unlock(&watch.mutex)


cdef void *watch_calls(void *argument) noexcept nogil:
    """The main function of the thread."""
    cdef Watch *watch = <Watch *>argument
    cdef long tick = CALM_TICK
    cdef long long calls
    cdef Use now
    while not load_flag(&watch.stopped):
        rest(TICK if monotonic() < watch.lively_until else tick)
        calls = load_word(watch.calls)
        now = use_of()
        tick = BRISK_TICK if is_brisk(watch, calls, now) else CALM_TICK
        look(watch, calls, now)
    return NULL


cdef bint is_brisk(Watch *watch, long long calls, Use now) noexcept nogil:
    """Whether calls came and went quickly since the last look, and none runs now that may be stuck at the next."""
    return TELLS_WAITS and not calls & 1 and calls - watch.seen > BRISK * (now.time - watch.last.time)


cdef void look(Watch *watch, long long calls, Use now) noexcept nogil:
    cdef bint is_new = calls != watch.seen
    cdef double lasted
    count_look()
    if now.time - watch.judged.time >= WINDOW:
        judge(watch, now)
    if is_new:
        watch.seen = calls
        watch.first = now
        watch.first.waits = watch.last.waits  # it may have begun to wait since
    watch.last = now
    lasted = now.time - watch.first.time
    if not calls & 1:
        if lasted > PATIENCE:
            doze(watch, calls)
        return
    if watch.limit > 0 and lasted >= watch.limit and watch.given_up != calls:
        watch.given_up = calls
        give_up(watch, calls)
    if not is_new and lasted >= load_time(&watch.patience) and watch.stuck_call != calls:
        look_at_stuck(watch, calls, lasted, now)


cdef void look_at_stuck(Watch *watch, long long calls, double lasted, Use now) noexcept nogil:
    """Call a spare for a call that two looks have found.

    Without a GIL, a call that computes keeps the loop for a while: it has a core, and whoever took the loop needs another.
    So does one that waits for a garbage collection, which stops all threads.
    """
    cdef bint is_waiting = now.waits > watch.first.waits and share(watch.first, now) < 0.5
    cdef int found = -1
    if TELLS_WAITS and watch.figures != NULL:
        found = waits_now(load_word(&watch.figures[CALL_THREAD]))
    if found == 0 and lasted < LONG or TELLS_WAITS and now.time - load_time(&collecting_since) < LONG:
        return
    if found == 1 or (found < 0 and is_waiting):
        store_time(&watch.lively_until, now.time + LIVELY)
    store_word(&watch.stuck_call, calls)
    call_spare(watch)


cdef void judge(Watch *watch, Use now) noexcept nogil:
    """Tell from what the process did in the last WINDOW whether calls wait, or may run beside each other.

    Neither is so where nothing but this thread waited, whoever else had the core; nor where the process computed as much
    as it can, though some waited, as that may be for the GIL.
    """
    cdef Use before = watch.judged
    cdef double used = share(before, now) / watch.cores
    if TELLS_WAITS:
        return  # that is better known when a call is stuck
    if now.waits - before.waits > OTHER_WAITS and not LEAST_SHARE < used < MOST_SHARE:
        store_time(&watch.lively_until, now.time + LIVELY)
    watch.judged = now


cdef Use use_of() noexcept nogil:
    cdef Use now
    now.waits = count_waits(looks_so_far(), &now.spent)
    now.time = monotonic()
    return now


cdef inline double share(Use before, Use now) noexcept nogil:
    """The CPU time of the process, of the time between."""
    return (now.spent - before.spent) / (now.time - before.time)


cdef void give_up(Watch *watch, long long calls) noexcept nogil:
    """Answer the client of a call that must hold the GIL, as the watchdog would have answered otherwise.

    While it is ANSWERING, the thread of the call neither ends it nor begins another: see Turn.begin_head().
    """
    cdef Call *call
    cdef Line line
    cdef bint logged = False
    pthread_mutex_lock(&watch.mutex)
    call = watch.call
    if advance_stage(&call.stage, HELD_BACK, ANSWERING):
        if load_word(watch.calls) == calls:
            send_dated(call.fd, watch.answer, watch.date_at, watch.size)
            if watch.figures != NULL:
                count_expired(watch.figures, (<Exchange>(<Connection>call.connection).exchange).started)
            if watch.lines != NULL:
                logged = make_expired(watch.lines, call.connection, EXPIRED, &line)
            call.logged = logged
            advance_stage(&call.stage, ANSWERING, GIVEN_UP)
        else:
            advance_stage(&call.stage, ANSWERING, HELD_BACK)  # another call has begun this moment
    pthread_mutex_unlock(&watch.mutex)
    if logged and not write_line(&line) and watch.figures != NULL:
        add_atomically(&watch.figures[LINES_DROPPED], 1)


cdef void doze(Watch *watch, long long calls) noexcept nogil:
    """Sleep until a call begins. The tick after the announcement is longer than any store takes to be seen."""
    pthread_mutex_lock(&watch.mutex)
    watch.awake = False
    pthread_mutex_unlock(&watch.mutex)
    store_flag(watch.dozing, True)
    rest(TICK)
    pthread_mutex_lock(&watch.mutex)
    while load_word(watch.calls) == calls and not watch.awake and not load_flag(&watch.stopped):
        pthread_cond_wait(&watch.woken, &watch.mutex)
    pthread_mutex_unlock(&watch.mutex)
    store_flag(watch.dozing, False)
    watch.judged = watch.last = use_of()
    store_time(&watch.lively_until, watch.judged.time + DOUBT)
