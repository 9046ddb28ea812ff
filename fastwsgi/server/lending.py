"""The threads of one of several loops, which lend each other what they do not need.

Each loop has a portion of the places in which the application may run. Where all of its own are taken and a request
waits, it takes one over from a loop that has one free, so that no request waits beside an idle thread, and no more
calls run in all than there are places. It gives that back at the end of a call as soon as the lender is short itself,
whatever else waits, or if nothing waits and the lender has none left.

It looks into another loop with the guard of that, but never waits for it: two that wait for each other would wait for
ever. If another thread has that guard, the loop remains short, which the others see at the end of their steps, and wake
it to try again. What comes back is put down beside the lender, which takes it up in its next step.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastwsgi.originals import threading
from fastwsgi.server.threads import Pool

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.server.interfaces import Monitor
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings


class LendingPool(Pool):
    """The threads of a loop that has siblings.

    Attributes:
        portion: places that it has when none is lent.
    """

    def __init__(self, loop: Loop, settings: Settings, monitor: Monitor) -> None:
        super().__init__(loop, settings, monitor)
        loop.is_short = False
        self.portion = self.size
        self._given_back: deque[int] = deque()  # places

    def run(self) -> None:
        """Serve until the loop is done, first in this thread, which has made it. Raises what has ended the loop."""
        self.loop_is_free = True
        self.names = threading.current_thread().name
        next(self._numbers)  # this thread
        self._threads.add(threading.current_thread())
        self._work()
        self.await_end()  # at once, but where another thread has ended the loop, or goes on with it

    def _finish(self) -> None:
        """Have run() return, whose thread may wait as a spare, or tell that it is still in a call."""
        super()._finish()
        self.close()
        if self.loop.caller in self.detached:
            self.loop.caller_stuck()

    def queue(self, connection: Connection) -> None:
        """Have the request of *connection* wait for a thread, and for a place that another loop may lend."""
        super().queue(connection)
        self._borrow()

    def end_step(self) -> None:
        """Give the place of the call that the loop's thread has ended to who waits for one, here or elsewhere."""
        if self.running or self.left_to_loop:
            super().end_step()
        if self.resuming or self._given_back or self.queued_requests or self.loop.is_short or self.size > self.portion:
            self._share()
            return
        for sibling in self.loop.siblings:  # a step, of which there may be 50,000 in a second, is too short for any()
            if sibling.is_short:
                self._share()
                return

    def _share(self) -> None:
        """Take up what came back, and let those have what is free who wait for it, here or elsewhere."""
        with self.lock:
            if self._given_back:
                self.loop.is_short = False
                self._resize(self._given_back.popleft())
            if self.resuming or self.queued_requests:
                self._pass_on()
        if self.loop.is_short:
            self._borrow()
        else:
            with self.lock:
                self._offer()

    def _borrow(self) -> None:
        """Take over places for the requests of the queue that have none here, as far as others have them."""
        while self._is_short() and any(self._takes_from(sibling.pool) for sibling in self.loop.siblings):
            with self.lock:
                self._resize(1)
                if self._has_work():
                    self._call_spare()

    def _is_short(self) -> bool:
        """Whether more requests wait for threads than places are free; other loops are told."""
        with self.lock:
            free = max(0, self.size - self._calls())
            self.loop.is_short = len(self.queued_requests) > free and not (self.left_to_loop or self.is_over())
            return self.loop.is_short

    def _takes_from(self, pool: Pool | None) -> bool:
        """Take a place over from *pool*, if it has one free and nobody touches its loop just now."""
        if not isinstance(pool, LendingPool) or not pool.loop.guard.try_to_take():
            return False
        try:
            with pool.lock:
                if not pool._has_free_place():
                    return False
                pool._resize(-1)
                return True
        finally:
            pool.loop.guard.let_go()

    # With the lock held

    def _pass_on(self) -> None:
        """Let streams and requests have the places that are free."""
        while self.resuming and self._calls() < self.size:
            self._set_running(self.running + 1)
            self.resuming.popleft().release()
        if self._has_work():
            self._call_spare()

    def _calls(self) -> int:
        """The calls that run, that of the thread with the loop among them: all of them are within the places."""
        return self.running + (self.service.turn.running() is not None)

    def _has_work(self) -> bool:
        return super()._has_work() and self._calls() < self.size

    def _has_place(self) -> bool:
        return self._calls() < self.size

    def _free_place(self) -> None:
        super()._free_place()
        self._offer()

    def _leave_place(self) -> int | None:
        """Give the place back to its lender, or go on with it."""
        with self.lock:
            lender = self._lender()
            if lender is not None:
                if not self._was_given_up():
                    self._set_running(self.running - 1)
                    self._give_back(lender)
                return None
        return super()._leave_place()

    def _offer(self) -> None:
        """Let a loop that is short have a free place: its own, or, if it comes for it, one that is lent."""
        if self._calls() >= self.size:
            return
        lender = self._lender() or self._deprived()
        if lender is not None:
            self._give_back(lender)
            return
        for pool in self._short_siblings():
            if self._has_free_place():
                pool.loop.wake()

    def _lender(self) -> LendingPool | None:
        """A loop that is short of a place that this one has beyond its portion."""
        if self.size <= self.portion:
            return None
        return next((pool for pool in self._short_siblings() if pool.size < pool.portion), None)

    def _deprived(self) -> LendingPool | None:
        """A loop that has lent all places, and so takes no connections: it gets one that nobody needs here."""
        if self.size <= self.portion or self.queued_requests or self.resuming:
            return None
        return next((pool for pool in self._others() if pool.size + len(pool._given_back) <= 0), None)

    def _others(self) -> list[LendingPool]:
        pools = [one.pool for one in self.loop.siblings]
        return [pool for pool in pools if isinstance(pool, LendingPool)]

    def _short_siblings(self) -> list[LendingPool]:
        return [pool for pool in self._others() if pool.loop.is_short]

    def _give_back(self, lender: LendingPool) -> None:
        self._resize(-1)
        lender._given_back.append(1)
        lender.loop.wake()

    def _has_free_place(self) -> bool:
        """Whether a call less may run here."""
        return self._calls() < self.size and not (self.queued_requests or self.resuming or self.ended)

    def _resize(self, places: int) -> None:
        """Have so many places more."""
        self.size += places
        self._set_running(self.running)
