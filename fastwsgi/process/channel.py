"""Short lines between the supervisor and another process, over a pair of sockets: commands one way, news the other.

To the worker:
    drain              keep no connection after its response, since a stop is to come
    stop               accept what waits, shut the listeners for all processes, answer what is in flight, end
    retire             the same, but other processes keep listening, and idle connections get a moment longer
    hurry              the same as retire, without that moment
    interrupt          the stop to come is by SIGINT
    reopen PATHS       reopen the log files; the descriptors of those in this JSON list, if any, come with the line
    certificates JSON  use these from now on
    stacks NUMBER      say which requests run, and where

To the supervisor:
    ready              the application is loaded, and connections are accepted
    closed             no further connection is accepted
    changed PATH       a source file has changed (--reload)
    failed JSON        what serves is a page that says so why the application cannot be loaded (--reload)
    reopen             the log files are to be reopened: from a worker that may not open them
    replace REASON     a successor is wanted
    dismissed REASON   the same, by a hook of the user's
    stacks JSON        the answer to stacks: the number, and a list of RunningStack (server/stacks.py)
    threads JSON       a list of pairs, the native ID of a thread that may run requests and its identifier in Python
    mistake JSON       why it cannot start; its end follows
    timeout JSON       a request was given up: what was logged about it
    terminated         it got a SIGTERM: all processes of the service did, or a successor is wanted
    in-flight NUMBER   the answer to stop, retire and hurry: requests that are not answered yet

To the status process:
    serve JSON         serve with these settings from now on, on the listener that comes with the line, if it "listens"
    told JSON          a Told (status/snapshot.py), or that without its events, which are as they were
    event JSON         another Event
    asked JSON         the number of an inquiry for stacks, and the process IDs of the workers that are asked
    stacks JSON        the number of an inquiry, the process ID of a worker, and what is known of it
    end                end at once

From the status process:
    log JSON           a line for the error log
    stacks NUMBER      begin this inquiry
"""

from __future__ import annotations

import array
from collections import deque
from collections.abc import Sequence

from fastwsgi.originals import os, select, socket, socketpair, threading

PIECE = 65536  # bytes of one read
MOST_DESCRIPTORS = 32  # that come with one line
MOST_UNSENT = 16 * 1024**2  # bytes that wait for a process which does not read; more are lost, and it is hung anyway
# Other systems than Linux know no such flag: what comes there is set after its arrival
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_ROOM = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)


class Channel:
    """One end. It never blocks: what the socket does not take waits here until send_rest() is called.

    Lines may be sent in any thread and in handlers of signals.

    Attributes:
        descriptors: those that have come, in the order of their lines.

    Args:
        end: a connected stream socket that does not block; it becomes the channel's.
    """

    def __init__(self, end: socket.socket) -> None:
        self.descriptors: deque[int] = deque()
        self._end = end
        self._incomplete = bytearray()  # the beginning of a line
        self._unsent: deque[tuple[memoryview, Sequence[int]]] = deque()
        self._bytes = 0  # that wait
        self._counting = threading.RLock()  # a handler of a signal may come in between
        self._sending = threading.Lock()  # held by the thread that sends; others leave their lines to it

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._end.fileno()

    @property
    def events(self) -> int:
        """The events of poll() to wait for."""
        return select.POLLIN | (select.POLLOUT if self._unsent else 0)

    def send(self, line: str, descriptors: Sequence[int] = ()) -> bool:
        """Send *line* with copies of *descriptors*, unless the other end is closed; False if it has no room."""
        data = memoryview(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")
        with self._counting:
            has_room = self._bytes + len(data) <= MOST_UNSENT
            if has_room:
                self._bytes += len(data)
                self._unsent.append((data, [os.dup(fd) for fd in descriptors]))
        self.send_rest()
        return has_room

    def send_rest(self) -> None:
        """Send what waits, as much as the socket takes."""
        has_room = True
        while self._unsent and has_room and self._sending.acquire(blocking=False):
            try:
                has_room = self._send_some()
            finally:
                self._sending.release()

    def _send_some(self) -> bool:
        """Send lines in order; False if there is no room for the rest."""
        while self._unsent:
            data, descriptors = self._unsent[0]
            try:
                sent = self._end.sendmsg([data], _ancillary(descriptors))
            except BlockingIOError:
                return False
            except OSError:
                sent = len(data)  # the end of the other process is noticed elsewhere
            for fd in descriptors:
                os.close(fd)
            with self._counting:
                self._bytes -= sent
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = data[sent:], ()
        return True

    def receive(self) -> tuple[list[str], bool]:
        """The whole lines that have arrived, and whether the other end is still open."""
        try:
            data, ancillary, _, _ = self._end.recvmsg(PIECE, _ROOM, _CLOSE_ON_EXEC)
        except BlockingIOError:
            return [], True
        except OSError:
            return [], False
        for level, kind, packed in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.descriptors.extend(_not_inheritable(array.array("i", packed)))
        if b"\n" not in data:
            self._incomplete += data
            return [], bool(data)
        *lines, rest = (bytes(self._incomplete) + data).split(b"\n")
        self._incomplete = bytearray(rest)
        return [line.decode("utf-8", "replace") for line in lines], True

    def close(self) -> None:
        """Close this end."""
        self._end.close()
        for _, descriptors in self._unsent:
            for fd in descriptors:
                os.close(fd)
        self._unsent.clear()


def _not_inheritable(descriptors: Sequence[int]) -> Sequence[int]:
    for fd in () if _CLOSE_ON_EXEC else descriptors:
        os.set_inheritable(fd, False)
    return descriptors


def _ancillary(descriptors: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []


def pair() -> tuple[Channel, Channel]:
    """The two ends of a new channel."""
    one, other = socketpair()
    return Channel(one), Channel(other)
