"""The keeper: a second thread for a loop whose application runs on one thread alone.

With one thread nobody could answer a route (http/routes.py) while an application call does not return. So the keeper
takes the loop out of a call that lasts, as a thread of a pool does (threads.py), but it never runs the application: it
accepts, reads heads and bodies, answers routes, and has everything else wait in the queue. The application's thread
ends its response, asks for the loop, gets it at the end of a step, and empties the queue, for a moment in each step.
Until it is empty, requests that come queue behind the others. So as long as calls return within PATIENCE, there is one
thread that does everything, as without a keeper.

All code of the application runs in its own thread: not only calls, but also the steps of a response made piece by piece
and its close(). What comes to pass with such a response while the keeper has the loop is left for that thread.

    home        the thread that runs the application, at first the one that has called run()
    kept        the keeper has the loop
    given up    a call of home is past its deadline: the keeper is home from now on, and another thread the keeper
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.http.errors import LoopLost
from fastwsgi.originals import threading
from fastwsgi.server.request_queue import serve_queue
from fastwsgi.server.threads import SIGNAL_LOOK, Pool

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.server.interfaces import Monitor
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

PATIENCE = 0.05  # seconds of a call; a probe may wait so long, and for shorter calls the change would cost too much


class Keeper(Pool):
    """The application's thread of a loop, and the keeper. The arguments are those of a Pool."""

    def __init__(self, loop: Loop, settings: Settings, monitor: Monitor) -> None:
        super().__init__(loop, settings, monitor)
        self.home = 0  # the identifier of the application's thread; 0: its call was given up, and none is in its place
        self.is_back = False  # home waits for the loop
        monitor.delay_spare(PATIENCE)
        self._handed = threading.Lock()  # released when it gets that
        self._handed.acquire()

    def run(self) -> None:
        """Serve, in this thread as long as calls return. Raises what Pool.run() raises."""
        self.home = self.loop_thread = threading.get_ident()
        self._add_thread()
        with self.loop.guard.held():
            self._run_application()
        self.await_end()

    def queue(self, connection: Connection) -> None:
        """Have *connection* wait until home has the loop again. The thread with the loop alone uses the queue."""
        self.queued_requests.append(connection)

    def end_step(self) -> None:
        """Leave the loop if home wants it, or is lost, else let home have the GIL; in home, go on with the queue.

        Raises:
            LoopLost: the keeper leaves the loop.
        """
        if not self.service.kept:
            if self.queued_requests:
                serve_queue(self)
        elif self.is_back or not self.home:
            raise LoopLost
        super().end_step()

    def next_queued(self) -> Connection | None:
        """The next connection that home answers; None if there is none."""
        if not self.queued_requests or self.loop.aborted:
            return None
        connection = self.queued_requests.popleft()
        self._set_full(False)
        return connection

    def _set_full(self, full: bool) -> None:
        super()._set_full(full or len(self.queued_requests) > 0)

    # The application's thread

    def _run_application(self) -> None:
        """Serve in this thread, which is home and has the loop, until all is done, or its call was given up."""
        while not self._serve():
            if not self._come_back():
                return
        self.done = True

    def _come_back(self) -> bool:
        """Wait for the loop, behind a call during which the keeper has taken it; False if there is no more to do."""
        with self.lock:
            if self._was_given_up():
                return False
            self.is_back = True
        self.loop.wake()
        with self.loop.guard.given_up():
            while not self._handed.acquire(timeout=SIGNAL_LOOK):
                if self.done:
                    return False
        self.service.renew_time()
        return True

    def _free_place(self) -> None:
        """Go on without home, whose call was given up; with the lock held."""
        self.home = 0
        self.loop.wake()

    # The keeper

    def _take_part(self) -> bool:
        """Keep the loop whenever a call is stuck, until the thread is home itself."""
        while self._wait_as_spare() and not self.ended:
            if not self._take_loop(self.monitor.stuck_call):
                continue
            if self.home and self._serve():
                return True
            if not self._hand_over():
                self._run_application()
                return self.done
        return False

    def _take_loop(self, stuck_call: int | None) -> bool:
        self.service.kept = super()._take_loop(stuck_call)
        return self.service.kept

    def _call_spare(self) -> None:
        """Call the keeper. There is one, even where it has been called already and is on its way."""
        self.monitor.post()

    def _keep_spare(self) -> None:
        """Do without: there is one keeper."""

    def _hand_over(self) -> bool:
        """Give home the loop; False if this thread is home from now on."""
        with self.lock:
            self.service.kept = self.is_back = False
            self._set_running(0)
            if not self.home:
                self.home = threading.get_ident()
                self._add_thread()
                return False
            self.loop_thread = self.home
            self._handed.release()
            return True
