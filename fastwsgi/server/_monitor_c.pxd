from fastwsgi.http._meter_c cimport Meter
from fastwsgi.http._turn_c cimport Call, CallCounter, Turn
from fastwsgi.observe._access_c cimport Lines

cdef extern from "pthread.h":
    ctypedef unsigned long pthread_t
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass


cdef struct Use:  # what the process had used ...
    double time  # ... by then ...
    double spent  # ... of the CPU, in seconds ...
    long waits  # ... and how often its threads had waited, but for that of the monitor


cdef struct Watch:
    const long long *calls  # of the counter, which the Monitor keeps alive
    bint *dozing
    Call *call
    const char *answer  # to the client of a call that is given up; the Monitor keeps the bytes alive
    int date_at, size  # where its date begins, and where it ends
    long long *figures  # which the Meter of the counter keeps alive; NULL: nobody counts
    void *lines  # of the access log, which the Monitor keeps alive; NULL: none
    double limit  # seconds before a call is given up; 0: no limit
    double patience  # seconds before a spare is called, which takes two looks at least
    long long seen  # the number of calls at the last look ...
    Use first, last  # ... and what was used at the first look at that number, and at the last
    Use judged  # when it was last judged whether calls wait
    double cores  # that threads can keep busy at once
    double lively_until  # calls are likely to wait
    long long given_up  # the number of the last call that was given up
    long long stuck_call
    bint stopped
    pthread_mutex_t mutex  # over posts and awake
    pthread_cond_t posted, woken
    int posts
    bint awake


cdef class Monitor:
    cdef CallCounter counter
    cdef Turn turn
    cdef bytes answer
    cdef Lines lines
    cdef Watch watch
    cdef pthread_t thread
    cdef bint running

    cdef object make_locks(self)
    cpdef object follow(self, Turn turn)
    cpdef object stop(self)
    cpdef object wake(self)
