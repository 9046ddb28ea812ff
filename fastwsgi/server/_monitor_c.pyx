"""The monitor of a thread pool, in C; its pure twin, _monitor_py.py, is the specification.

A thread that never takes the GIL: it sees a call that is stuck also while that call holds the GIL.
"""

from fastwsgi.http._baton_c cimport GIVEN_UP, HELD_BACK, Baton, Call
from fastwsgi.http._shared_c cimport Shared

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <stdio.h>
    #include <sys/socket.h>
    #include <time.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    static void rest(long nanoseconds) {
        struct timespec time = {0, nanoseconds};
        nanosleep(&time, NULL);
    }

    #define advance_stage(at, before, after) __sync_bool_compare_and_swap(at, before, after)

    /* 504 without a body, which fits a HEAD as well, and the end of what we send. */
    static void answer_timeout(int fd) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        char answer[160];
        struct tm now;
        time_t seconds = time(NULL);
        gmtime_r(&seconds, &now);
        int size = snprintf(
            answer, sizeof(answer),
            "HTTP/1.1 504 Gateway Timeout\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n"
            "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\\r\\n\\r\\n",
            days + 3 * now.tm_wday, now.tm_mday, months + 3 * now.tm_mon, now.tm_year + 1900,
            now.tm_hour, now.tm_min, now.tm_sec);
        if (send(fd, answer, size, MSG_NOSIGNAL) == size)
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
    bint advance_stage(volatile int *, int, int) nogil
    void answer_timeout(int) nogil

cdef enum:
    TICK = 1000000  # nanoseconds
    PATIENCE = 100  # looks without a new call until the monitor dozes
    MARGIN = 100  # looks that the watchdog gets beyond its own pause: it answers better, if it can
    PAUSE = 250  # looks; the longest pause of the watchdog


cdef class Monitor:
    """Watches the calls of one loop, and has spare threads wait."""

    def __cinit__(self, Shared shared not None, double timeout=0.0):
        cdef int limit = <int>min(timeout * 1000, 1e9)
        self.shared = shared
        self.follow(shared.baton)
        if limit > 0:
            self.watch.limit = limit + min(limit // 10, PAUSE) + MARGIN
        self.watch.calls = &shared.calls
        self.watch.dozing = &shared.dozing
        pthread_mutex_init(&self.watch.mutex, NULL)
        pthread_cond_init(&self.watch.posted, NULL)
        pthread_cond_init(&self.watch.woken, NULL)

    def __dealloc__(self):
        self.stop()
        pthread_cond_destroy(&self.watch.woken)
        pthread_cond_destroy(&self.watch.posted)
        pthread_mutex_destroy(&self.watch.mutex)

    @property
    def stuck(self):
        return self.watch.stuck

    def start(self):
        if pthread_create(&self.thread, NULL, look, &self.watch) != 0:
            raise RuntimeError("cannot start the monitor's thread")
        self.running = True

    cpdef object follow(self, Baton baton):
        before = self.baton
        self.baton = baton
        self.watch.call = &baton.call
        del before  # only now nobody looks at it

    cpdef object stop(self):
        if not self.running:
            return
        self.running = False
        self.watch.stopped = True
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
        call_spare(&self.watch)

    cpdef object wake(self):
        self.shared.dozing = False
        pthread_mutex_lock(&self.watch.mutex)
        self.watch.awake = True
        pthread_cond_signal(&self.watch.woken)
        pthread_mutex_unlock(&self.watch.mutex)

    def give_way(self):
        with nogil:
            sched_yield()


cdef void call_spare(Watch *watch) noexcept nogil:
    pthread_mutex_lock(&watch.mutex)
    watch.posts += 1
    pthread_cond_signal(&watch.posted)
    pthread_mutex_unlock(&watch.mutex)


cdef void *look(void *argument) noexcept nogil:
    """The thread."""
    cdef Watch *watch = <Watch *>argument
    cdef long long last = 0, calls
    cdef int looks = 0
    while not watch.stopped:
        rest(TICK)
        calls = watch.calls[0]
        if calls != last:
            last = calls
            looks = 0
            continue
        looks += 1
        if calls & 1:
            if looks == watch.limit:
                give_up(watch.call)
            if watch.stuck != calls:
                watch.stuck = calls
                call_spare(watch)
        elif looks > PATIENCE:
            doze(watch, calls)
            looks = 0
    return NULL


cdef void give_up(Call *call) noexcept nogil:
    """Answer the client of a call that holds the GIL: else the watchdog would have done so."""
    cdef int fd = call.fd
    if fd >= 0 and advance_stage(&call.stage, HELD_BACK, GIVEN_UP):
        answer_timeout(fd)


cdef void doze(Watch *watch, long long calls) noexcept nogil:
    """Sleep until a call begins. The tick after the announcement is longer than any store takes to be seen."""
    pthread_mutex_lock(&watch.mutex)
    watch.awake = False
    pthread_mutex_unlock(&watch.mutex)
    watch.dozing[0] = True
    rest(TICK)
    pthread_mutex_lock(&watch.mutex)
    while watch.calls[0] == calls and not watch.awake and not watch.stopped:
        pthread_cond_wait(&watch.woken, &watch.mutex)
    pthread_mutex_unlock(&watch.mutex)
    watch.dozing[0] = False
