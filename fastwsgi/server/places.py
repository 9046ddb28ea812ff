"""The places of a thread pool: N threads may run the application without the loop, each of which has one.

While all places are taken, requests queue, and so they do behind others of the queue that is left to the loop. A place
that becomes free goes to the stream or the request that is first in line.

Who goes on with the queue while a place is free: a thread that has answered, or a spare that is called; but once the
queue is left to the loop, its thread alone, in each step until nothing waits or no place is free.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.originals import threading
from fastwsgi.server.gauges import Gauges
from fastwsgi.server.request_queue import RequestQueue

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings


class Places:
    """The places of the threads of *loop*; threads and max_queue of *settings* are read.

    Attributes:
        lock: guards everything else.
        running: places taken.
        resuming: a lock for each stream that waits for a place, which is released with the place.
        left_to_loop: the thread with the loop goes on with the queue, and no other.
        ended: nobody begins anything any more.
    """

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self.loop = loop
        self.service = loop.service
        self.meter = loop.meter
        self.size = settings.threads
        self.gauges = Gauges(loop.meter)
        self.lock = threading.Lock()
        self.running = 0
        self.queued_requests = RequestQueue(settings.max_queue, self.gauges)
        self.resuming: deque[threading.Lock] = deque()
        self.left_to_loop = False
        self.ended = False

    def has_room(self) -> bool:
        """Whether another request may queue."""
        return self.queued_requests.has_room()

    def queue(self, connection: Connection) -> None:
        """Have the request of *connection*, which is detached, wait for a thread. Called in the loop's thread."""
        with self.lock:
            self.queued_requests.append(connection)
            if self._has_work():  # a thread has just become free
                self._call_spare()

    def next_queued(self) -> Connection | None:
        """The next connection that the loop's thread answers; None if there is none, or other threads go on."""
        with self.lock:
            if self.queued_requests and self.running < self.size and not self.is_over():
                return self.queued_requests.popleft()
            self._leave_to_loop(False)
            return None

    def is_over(self) -> bool:
        """Whether no request of the queue is begun any more."""
        return self.ended or self.loop.aborted

    def _has_work(self) -> bool:
        """Whether a request waits for a thread that does not have the loop, and has a place; with the lock held."""
        return len(self.queued_requests) > 0 and self.running < self.size and not (self.left_to_loop or self.is_over())

    def _has_place(self) -> bool:
        """Whether a stream can go on; with the lock held."""
        return self.running < self.size

    def _call_spare(self) -> None:
        """Have a spare thread look for work; with the lock held."""
        raise NotImplementedError

    def _claim_place(self) -> threading.Lock | None:
        """Take a place for a stream; if none is free, a lock to be acquired, when it has one. With the lock held."""
        if self._has_place():
            self._set_running(self.running + 1)
            return None
        place = threading.Lock()
        place.acquire()
        self.resuming.append(place)
        return place

    def _free_place(self) -> None:
        """Give the place of a thread that has left the application to who is first in line; with the lock held."""
        if self.resuming:
            self.resuming.popleft().release()
        else:
            self._set_running(self.running - 1)
            if self._has_work():
                self._call_spare()

    def _set_running(self, count: int) -> None:
        self.running = count
        self.gauges.set_running(count)
        self._set_full(count >= self.size or self.left_to_loop)

    def _leave_to_loop(self, left: bool) -> None:
        """Leave the queue to the loop's thread, or to the others; with the lock held."""
        self.left_to_loop = left
        self._set_running(self.running)
        if left:
            self.loop.wake()

    def _set_full(self, full: bool) -> None:
        """Have requests queue from now on, or not."""
        if full is not self.service.full:
            self.service.full = full
            self.gauges.set_full(full)
            if not full and not self.loop.acceptor.polled:
                self.loop.accept_again()
