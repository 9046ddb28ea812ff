"""The monitor of a thread pool, in C; its pure twin, _monitor_py.py, is the specification.

A thread that never takes the GIL: it sees a call that is stuck also while that call holds the GIL.
"""

from fastwsgi.http._shared_c cimport Shared

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <time.h>

    static void rest(long nanoseconds) {
        struct timespec time = {0, nanoseconds};
        nanosleep(&time, NULL);
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

cdef enum:
    TICK = 1000000  # nanoseconds
    PATIENCE = 100  # looks without a new call until the monitor dozes


cdef class Monitor:
    """Watches the calls of one loop, and has spare threads wait."""

    def __cinit__(self, Shared shared not None):
        self.shared = shared
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
            if watch.stuck != calls:
                watch.stuck = calls
                call_spare(watch)
        elif looks > PATIENCE:
            doze(watch, calls)
            looks = 0
    return NULL


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
